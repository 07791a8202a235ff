"""Reproducible measurements, each with one command."""
