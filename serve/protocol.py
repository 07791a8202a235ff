"""HTTP as API Gateway speaks it, on uvicorn's fast protocol.

`Protocol` responds to malformed requests with problem details.
"""

import re
import sys

import httptools

from serve import connections
from serve.gateway import LambdaResponse, header_lines, own_response

VERSIONS = {"1.0", "1.1"}
UNROUTABLE = (httptools.HttpParserInvalidMethodError, httptools.HttpParserInvalidURLError)
REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP/1\.[01]\r\n")


class Protocol(connections.Protocol):
    """A connection of a client."""

    _last_words = b""

    def data_received(self, data: bytes) -> None:
        self._data = data
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Begin the request. Raises ValueError, which the parser reports, if it is malformed."""
        version = self.parser.get_http_version()
        if version not in VERSIONS:
            raise ValueError("not a version of HTTP that this protocol supports")
        if version == "1.1" and not any(name == b"host" for name, _ in self.headers):
            raise ValueError("no Host")
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._last_words and not self.pipeline:
            self._say(self._last_words)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's own words)
        words = to_bytes(own_response(self._response_type(), "/"))
        if self.cycle and self.cycle.more_body and self.pipeline:
            self.pipeline.popleft()  # the malformed request
        elif self.cycle and not self.cycle.response_complete and not self.cycle.more_body:
            self.flow.pause_reading()
            self._last_words = words  # after the responses to earlier requests
            return
        self._say(words)

    def _response_type(self) -> str:
        """Return what the parser's error means: it only parses some methods and targets."""
        error = sys.exception()
        if isinstance(error, httptools.HttpParserCallbackError):
            error = error.__context__
        is_first = self.cycle is None  # only then, the data begin with the request line
        is_unroutable = (
            is_first and isinstance(error, UNROUTABLE) and REQUEST_LINE.match(self._data)
        )
        return "MISSING_AUTHENTICATION_TOKEN" if is_unroutable else "DEFAULT_4XX"

    def _say(self, words: bytes) -> None:
        self.transport.write(words)
        self.transport.close()


def to_bytes(response: LambdaResponse) -> bytes:
    """Return the last response on a connection, as the protocol sends it itself."""
    body = response["body"].encode()
    own = [("Content-Length", str(len(body))), ("Connection", "close")]
    lines = [*header_lines(response), *own]
    fields = [(name.lower().encode(), value.encode("latin-1")) for name, value in lines]
    return connections.message(response["statusCode"], fields, body)
