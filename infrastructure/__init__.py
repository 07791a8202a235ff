"""The API's AWS infrastructure, and additions to Chalice's template."""
