"""The service under stress: `load.chaos` breaks it, and looks whether a write was lost."""
