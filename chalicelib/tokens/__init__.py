"""Bearer tokens: from the Authorization header to a caller and its scopes."""
