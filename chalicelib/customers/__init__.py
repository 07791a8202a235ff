"""The resource: fields, schemas, rows, reads and writes, with all of its SQL."""
