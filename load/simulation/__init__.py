"""A capacity simulation of the service in AWS, from 10 to 100,000 requests per second.

Nothing here calls AWS, and nothing was measured in AWS. docs/scaling.md presents the results.
"""

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
RESULTS = PAGE.with_suffix("") / "results.json"
MEASURED = PAGE.with_suffix("") / "measured.json"
