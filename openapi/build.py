"""Generate the document from the operations' declarations and the marshmallow schemas.

The service only sends the file that `make openapi` writes.
"""

import json
import tomllib
from pathlib import Path
from typing import Any

import app
from chalicelib.http import rules
from chalicelib.http.routing import DeclarationError, Operations
from openapi import (
    ASYNCAPI,
    CALLING_CODES,
    CHARACTERS,
    EVENT_SCHEMA,
    PAGE,
    PROBLEMS,
    REFERENCE,
    ROOT,
    SERVED,
    SHOWN,
    accepted,
    calling_codes,
    components,
    events,
    headers,
    page,
    problems,
    reference,
    references,
    unicode,
    validation,
)
from openapi.operations import Paths
from openapi.service import INFO, bearer

JSONObject = dict[str, Any]


def document(declared: Operations = app.operation) -> JSONObject:
    """Return the document of the operations.

    Raises DeclarationError if a declaration is incomplete, or refers to what does not exist.
    """
    tags = references.tags(declared.table)
    schemas = components.schemas(declared.table, tags)
    builder = Paths(declared.table, schemas)
    paths = builder.build()
    every = {"schemas": schemas, "responses": builder.responses, "headers": headers.RESPONSE}
    described = {
        "openapi": "3.1.0",
        "info": INFO | {"version": _version()},
        # relative to the document's own URL, and therefore right in every stage
        "servers": [{"url": "."}],
        "tags": [{"name": tag.name, "description": tag.description} for tag in tags],
        "paths": paths,
        "components": {
            **components.used(paths, every),
            "securitySchemes": {"bearer": bearer(declared.scopes)},
        },
    }
    return json.loads(json.dumps(described))  # type: ignore[no-any-return]


def texts(declared: Operations = app.operation) -> dict[Path, str]:
    """Return the files that `make openapi` writes, with their texts.

    Raises DeclarationError as `document` does, and if the document is invalid or a kind of
    problem has no paragraph.
    """
    described = document(declared)
    if errors := validation.errors(described):
        raise DeclarationError("\n".join(errors))
    markdown = problem_pages()
    problems.check_paragraphs(markdown)
    compact = json.dumps(described, separators=(",", ":"), ensure_ascii=False)
    return {
        SERVED: compact,
        SHOWN: _readable(described),
        ASYNCAPI: _readable(events.asyncapi(_version())),
        EVENT_SCHEMA: _readable(events.json_schema()),
        PAGE: page.html(markdown),
        REFERENCE: reference.page(REFERENCE.read_text(encoding="utf-8"), described),
        CHARACTERS: unicode.text(),
        CALLING_CODES: calling_codes.text(),
        ROOT / "chalicelib" / rules.FILE: accepted.text(declared.table),
    }


def write(files: dict[Path, str]) -> None:
    """Write all files, or none if one can't be written."""
    unfinished = {path: path.with_name(f".{path.name}.new") for path in files}
    try:
        for path, text in files.items():
            unfinished[path].write_text(text, encoding="utf-8")
        for path, new in unfinished.items():
            new.replace(path)
    finally:
        for new in unfinished.values():
            new.unlink(missing_ok=True)


def problem_pages() -> str:
    """Return docs/problems.md, and after it docs/problems-<resource>.md of each resource."""
    own = sorted(PROBLEMS.parent.glob("problems-*.md"))
    return "\n".join(path.read_text(encoding="utf-8") for path in (PROBLEMS, *own))


def _readable(described: JSONObject) -> str:
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def _version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])
