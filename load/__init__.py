"""Stress tests: fault injection (chaos), load, fuzzing and simulation."""
