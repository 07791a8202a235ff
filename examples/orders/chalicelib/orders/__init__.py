"""Orders: fields and schemas."""
