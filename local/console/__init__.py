"""The local stack's console: the API's documentation, and the recent requests.

The same process publishes the token issuer's keys, and receives X-Ray segments.
"""
