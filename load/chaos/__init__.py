"""Consistency check in the style of Jepsen: clients write while parts of the service are killed.

`python -m load.chaos` runs the whole service on this machine: a database, the Data API server,
and the API over HTTP. `clients` send requests and retry those with an unknown outcome, `purger`
runs the purge job, `mirror` follows the feed of changes, and a `consumer` accepts the events of two
relays, of which `relays` kills one after another. `nemesis` injects the `faults`.
`history` records every operation. `final` reads all data after the faults have ended. `checker`
compares the history with the final data and lists every violation. An API with the faults of
`broken` proves that it finds them.

Limitations: kill -9 does not simulate a power loss, and one machine does not simulate a network.

Source: https://jepsen.io/consistency, https://github.com/jepsen-io/jepsen
"""
