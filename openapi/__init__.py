"""The OpenAPI 3.1 document of the service, and what generates it: `make openapi`."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
SERVED, SHOWN = ROOT / "chalicelib" / "openapi.json", ROOT / "docs" / "openapi.json"
PAGE, PROBLEMS = ROOT / "chalicelib" / "problems.html", ROOT / "docs" / "problems.md"
CHARACTERS = ROOT / "chalicelib" / "http" / "unicode.json"
CALLING_CODES = ROOT / "chalicelib" / "http" / "calling_codes.json"
ASYNCAPI, EVENT_SCHEMA = (ROOT / "docs" / name for name in ("asyncapi.json", "event-schema.json"))
REFERENCE = ROOT / "docs" / "reference" / "api.md"
