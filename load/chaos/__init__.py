"""Consistency check in the style of Jepsen: clients write while parts of the service are killed.

`python -m load.chaos` runs the whole service on this machine: a database, the Data API server,
and the API over HTTP. `clients` sends requests and retries those with an unknown outcome. `nemesis`
kills processes and injects faults. `history` records every operation. `final` reads all data after
the faults have ended. `checker` compares the history with the final data and lists every violation.

Limitations: kill -9 does not simulate a power loss, and one machine does not simulate a network.

Source: https://jepsen.io/consistency, https://github.com/jepsen-io/jepsen
"""
