"""How the tests run each Makefile command from a path that is hard to quote.

`tests/test_makefile.py` asserts that every command is listed; `tests/contract/test_paths.py`
runs them.
"""

SERVED = ["run", "stack"]
"""Commands that run until Ctrl-C."""
BESIDE = {"seed": ["COUNT=10"], "migrate": [], "token": ["SCOPE=customers:read"]}
"""Commands that need a stack, with their arguments."""
ALONE = {
    "admit": ["STAGE=dev", "ARGS=--help"],
    "apply": ["STAGE=dev", "ARGS=--help"],
    "bench": ["ARGS=--help"],
    "bind": ["STAGE=dev", "ARGS=--help"],
    "block": ["STAGE=dev", "ARGS=--help"],
    "budget": ["ARGS=--help"],
    "compare": ["ARGS=--help"],
    "chaos": ["ARGS=--seconds 5 --without-mirror"],
    "check": [],
    "contract": ["ARGS=--version"],
    "costs": [],
    "stages": [],
    "docs": [],
    "deploy": ["STAGE=dev", "ARGS=--help"],
    "destroy": ["STAGE=dev", "ARGS=--help"],
    "format": [],
    "fuzz": ["ARGS=--help"],
    "help": [],
    "load": ["ARGS=--ramp 1 --steady 1 --spike 0 --after 1 --limit 60000"],
    "mutants": ["ARGS=--help"],
    "migrate-stage": ["STAGE=dev", "ARGS=--help"],
    "finish": ["STAGE=dev", "ARGS=--help"],
    "rotate": ["STAGE=dev", "ARGS=--help"],
    "openapi": [],
    "package": ["STAGE=dev"],
    "preflight": ["STAGE=dev", "ARGS=--help"],
    "provision": ["STAGE=dev", "ARGS=--help"],
    "quick": ["ARGS=tests/test_schemas.py"],
    "reset": ["YES=1"],
    "setup": [],
    "restore": ["STAGE=dev", "ARGS=--help"],
    "rollback": ["STAGE=dev", "ARGS=--help"],
    "simulate": ["ARGS=--quick"],
    "smoke": ["STAGE=dev", "ARGS=--help"],
    "soak": ["ARGS=--help"],
    "sqlmap": ["ARGS=--help"],
    "status": ["STAGE=dev", "ARGS=--help"],
    "test": ["ARGS=tests/test_cursors.py --no-cov"],
}
"""Independent commands, with arguments that shorten them; operators' commands need AWS."""
LAST = ["clean"]
NOT_TRIED = {
    "audit": "it asks PyPI about each locked package",
    "installation": "it downloads every locked package",
    "sbom": "it installs the audit's tools, to describe what `package` builds",
    "lock": "it asks PyPI, and changes the lock files",
    "test-all": "it installs an environment for every Python of the machine",
    "client": "it needs the generator, which only the contract tests install",
    "diagrams": "it needs Graphviz",
    "screenshots": "it changes the repository's pictures",
    "rehearse": "it takes minutes, and an environment that only `.ci/run` makes",
}
