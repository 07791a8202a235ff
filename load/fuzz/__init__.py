"""Fuzzing of the three Lambda functions with hostile API Gateway and EventBridge events.

`cases` defines a case (the name of a function, and an event) and the seeds. `mutation` derives a
case from another one. `world` runs the functions on a database that is reset before each run.
`invariants` checks every response. `shrinking` minimizes a case that violates an invariant.
`target` is libFuzzer's entry point, in its own environment.
"""
