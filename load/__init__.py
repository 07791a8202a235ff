"""What breaks the service on purpose: traffic, chaos, fuzzing; and the simulation of a larger one."""
