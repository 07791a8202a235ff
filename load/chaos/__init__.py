"""A checker in the style of Jepsen: clients write while parts of the service are killed.

`python -m load.chaos` runs the whole service on this machine: MariaDB, the Data API server, the API
over HTTP. `clients` send requests, and repeat those whose outcome they did not learn; `nemesis`
kills and spoils; `history` is what happened; `final` reads everything when all is quiet again;
`checker` tells from history and final reading whether every promise was kept.

What it does not show: kill -9 is no loss of power, and one machine is no network of machines.

Source: https://jepsen.io/consistency, https://github.com/jepsen-io/jepsen
"""
