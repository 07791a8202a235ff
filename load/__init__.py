"""What breaks the service on purpose, and what simulates a larger one."""
