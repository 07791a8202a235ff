"""The service under stress: broken on purpose, loaded, fed nonsense, and simulated."""
