"""The app with statements that select columns, for comparison: the function writes the JSON."""

from benchmarks import columns
from chalicelib.http import pagination, reads
from chalicelib.http.resources import Resource

Resource.select = columns.select  # type: ignore[assignment, method-assign]
pagination.read_texts = columns.read_texts  # type: ignore[attr-defined]
reads.read_texts = columns.read_texts  # type: ignore[attr-defined]

from app import app as handler  # noqa: E402, F401
