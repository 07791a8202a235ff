"""The API as an HTTP server, without Lambda and API Gateway: docs/serve.md.

`gateway` turns an HTTP request into the event of a Lambda function, and calls the app. `server`
serves a gateway over HTTP, `protocol` parses HTTP. The local gateway is built on these modules.
"""
