"""Mutation testing: `make mutants` (docs/decisions/0026-mutation-testing.md)."""
