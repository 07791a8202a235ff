"""SimPy has an environment of its own, `.venv/simulation`, which `make test` makes."""

import site
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[3]
site.addsitedir(sysconfig.get_path("purelib", vars={"base": str(ROOT / ".venv" / "simulation")}))
