"""Simulate the service in AWS, from 10 to 100,000 requests per second.

The simulation calls no AWS service and uses no measurement from AWS. docs/scaling.md reports the
results.
"""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "scaling.md"
PLOTS = PAGE.with_suffix("")
RESULTS = ROOT / "out" / "simulation" / "results.json"
MEASURED = Path(__file__).with_name("measured.json")
