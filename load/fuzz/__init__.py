"""Fuzzing of the three Lambda functions with hostile API Gateway and EventBridge events.

cases      a case: the name of a function, and an event; seed cases mutation   derives a case from
another one world      the functions, on a database that is reset before each run invariants what
every response must fulfil shrinking  minimizes a case that violates an invariant target     the
entry point for libFuzzer, in its own environment
"""
