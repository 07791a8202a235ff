"""Events: a thin CloudEvent for each version of a resource, put on a bus by a scheduled relay."""
