"""The local stack's own web pages: the API's documentation to try, and the requests it has had.

In the same process are the token issuer's keys, and what takes X-Ray's segments.
"""
