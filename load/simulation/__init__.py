"""Capacity on paper: the service in AWS, simulated from 10 to 100,000 requests a second.

Nothing here calls AWS, and nothing here was measured there: docs/scaling.md says what follows.
"""

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
RESULTS = PAGE.with_suffix("") / "results.json"
MEASURED = PAGE.with_suffix("") / "measured.json"
