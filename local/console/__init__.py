"""The local stack's own web page: for now, what the token issuer publishes."""
