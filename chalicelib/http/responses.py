"""Build the responses of a resource's operations."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from chalice import Response

from chalicelib.http import documents, headers, problems
from chalicelib.http.preconditions import etag, single_version
from chalicelib.http.problems import Problem
from chalicelib.http.requests import Request
from chalicelib.http.resources import Document, Resource, read_texts

if TYPE_CHECKING:
    from chalicelib.http.creates import Created
    from chalicelib.http.feed import Changes
    from chalicelib.http.lenient import Outcomes
    from chalicelib.http.pagination import Page
    from chalicelib.http.reads import Found

JSON = "application/json"
LINES = "application/x-ndjson"
MERGE_PATCH = "application/merge-patch+json"


class TextResponse(Response):
    """A response whose body is text."""

    def to_dict(self, binary_types: list[str] | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Return the response for API Gateway, without looking for a binary media type."""
        return super().to_dict()


def answer(
    body: object,
    status: int = 200,
    extra: Mapping[str, str] | None = None,
    media_type: str = JSON,
) -> Response:
    """Return a response with a JSON document."""
    text = documents.dumps(body)
    text = text.encode(errors="replace").decode()  # a path or a name may hold half a pair
    return document(text, status, extra, media_type)


def document(
    text: str,
    status: int = 200,
    extra: Mapping[str, str] | None = None,
    media_type: str = JSON,
) -> Response:
    """Return a response with the text of a JSON document."""
    return TextResponse(text, {"Content-Type": media_type, **(extra or {})}, status)


def no_content(status: int = 204, extra: Mapping[str, str] | None = None) -> Response:
    return TextResponse("", dict(extra or {}), status)


def page(request: Request, found: "Page") -> Response:
    """Return a page of a list, with the path of the next page."""
    following = request.page_after(found.cursor) if found.cursor else None
    extra = {"Link": f'<{following}>; rel="next"'} if following else {}
    return _page(found.items, following, has_more=bool(following), extra=extra)


def changes(request: Request, found: "Changes") -> Response:
    """Return a page of the feed of changes, which always has a path to continue with."""
    from chalicelib.http.feed import POLL_SECONDS

    following = request.page_after(found.cursor)
    pause = 0 if found.has_more else POLL_SECONDS
    extra = {"Link": f'<{following}>; rel="next"', "Retry-After": str(pause)}
    if request.media_type == LINES:
        end = "\n" if found.rows else ""
        return document(read_texts(found.rows, separator="\n") + end, 200, extra, LINES)
    items = f"[{read_texts(found.rows)}]"
    return _page(items, following, has_more=found.has_more, extra=extra)


def created(request: Request, resource: Resource, result: "Created") -> Response:
    """Return 201 for one new resource, or the replayed response to a retry."""
    (item,) = result.items
    request.wrote(resource.plural, [item["id"]], item["version"])
    extra = {"ETag": etag(item["version"]), "Location": f"{request.path}/{item['id']}"}
    return answer(item, 201, extra | _replayed(result))


def all_created(request: Request, resource: Resource, result: "Created") -> Response:
    """Return 201 for a batch of new resources, or the replayed response to a retry."""
    items = result.items
    request.wrote(resource.plural, [item["id"] for item in items], items[0]["version"])
    return answer({"items": items}, 201, _replayed(result))


def each_created(request: Request, resource: Resource, result: "Outcomes") -> Response:
    """Return 207: the status of each item, with the new resource or the problem."""
    new = [item for item in result.items if not isinstance(item, Problem)]
    if new:
        request.wrote(resource.plural, [item["id"] for item in new], 1)
    items = [
        {"status": item.status, "problem": problems.body(item, request.path, request.id)}
        if isinstance(item, Problem)
        else {"status": 201, resource.name: item}
        for item in result.items
    ]
    extra = {"Preference-Applied": "handling=lenient"} | _replayed(result)
    return answer({"items": items}, 207, extra)


def all_written(request: Request, resource: Resource, current: Sequence[Document]) -> Response:
    """Return the resources after a write of several."""
    request.wrote(resource.plural, [item["id"] for item in current], None)
    return answer({"items": current})


def all_removed(request: Request, resource: Resource, ids: Iterable[UUID]) -> Response:
    """Return 204 after a removal of several."""
    request.wrote(resource.plural, map(str, ids), None)
    return no_content()


def found(
    request: Request, resource: Resource, result: "Found", fields: Collection[str] = ()
) -> Response:
    """Return a resource that was read, or 304 if the client has this version.

    Raises PreconditionFailed if `If-Match` names other versions.
    """
    versions = request.versions_of(result.id) if result.id else request.versions
    if versions is not None and result.version not in versions:
        raise resource.changed(has_weak_tag=request.has_weak_tag)
    extra = {**headers.REVALIDATED, "ETag": etag(result.version, fields, result.id)}
    if result.id:
        extra["Content-Location"] = _own_path(request, result.id)
    if request.is_unchanged(extra["ETag"]):
        return no_content(304, extra)
    return document(result.text, 200, extra)


def written(request: Request, resource: Resource, current: Document) -> Response:
    """Return the resource after a write, or 204 if the client prefers a minimal response."""
    return _written(request, resource, current, {"ETag": etag(current["version"])})


def written_at(
    request: Request, resource: Resource, current: Document, *, is_new: bool = False
) -> Response:
    """Return what `written` does for a path that names the resource by a unique value.

    Return 201 if the request created it.
    """
    own_path = _own_path(request, current["id"])
    tag = etag(current["version"], resource_id=current["id"])
    extra = {"ETag": tag, "Content-Location": own_path}
    if not is_new:
        return _written(request, resource, current, extra)
    request.wrote(resource.plural, [current["id"]], current["version"])
    return answer(current, 201, {**extra, "Location": own_path})


def removed(request: Request, resource: Resource, resource_id: UUID) -> Response:
    """Return 204 after a removal; the audit has the version if `If-Match` named one version."""
    version = single_version(request.versions)
    request.wrote(resource.plural, [str(resource_id)], version and version + 1)
    return no_content()


def _written(
    request: Request,
    resource: Resource,
    current: Document,
    extra: Mapping[str, str],
) -> Response:
    request.wrote(resource.plural, [current["id"]], current["version"])
    if request.wants_minimal:
        return no_content(204, {**extra, "Preference-Applied": "return=minimal"})
    return answer(current, 200, extra)


def _own_path(request: Request, resource_id: UUID | str) -> str:
    """Return the path of the resource by its id, from `/<resources>/by-<field>/<value>`."""
    return f"{request.path.rsplit('/', 2)[0]}/{resource_id}"


def _page(
    items: str, following: str | None, *, has_more: bool, extra: Mapping[str, str]
) -> Response:
    """Return a page. The database wrote the items as JSON text, which is not parsed here."""
    more = "true" if has_more else "false"
    text = f'{{"items":{items},"next":{documents.dumps(following)},"has_more":{more}}}'
    return document(text, 200, extra)


def _replayed(result: "Created | Outcomes") -> dict[str, str]:
    return {"Idempotency-Replayed": "true"} if result.replayed else {}
