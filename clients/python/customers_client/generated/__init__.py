"""Generated from the OpenAPI document, by `make client`."""
