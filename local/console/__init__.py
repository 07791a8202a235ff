"""The local stack's own web page: the API's documentation to try, and the token issuer's keys."""
