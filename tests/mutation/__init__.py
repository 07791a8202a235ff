"""Mutation testing: `make mutants` (docs/decisions/0033-mutation-testing.md)."""
