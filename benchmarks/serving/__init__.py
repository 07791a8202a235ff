"""Compare `python -m serve` with common alternatives, over HTTP: `make compare`."""
