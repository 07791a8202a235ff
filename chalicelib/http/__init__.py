"""HTTP for any resource: routing, requests, responses, preconditions, pagination, problems."""
