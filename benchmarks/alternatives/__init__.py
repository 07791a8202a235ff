"""The common alternatives to `python -m serve`, written as their documentation recommends.

All programs use the service's table, its rules for new customers, and its tokens. All of them
return the same customers. They lack what their frameworks don't provide: idempotency keys,
filters, problem details, history, and deadlines.
"""
