"""A listening socket that gets no new connections, before it closes."""

import socket
import sys
from contextlib import closing

import pytest

from serve.closing import drop_new_connections


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this filter")
def test_new_connections_are_dropped_and_existing_ones_continue() -> None:
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as listener,
        closing(socket.create_connection(listener.getsockname())) as client,
        closing(socket.socket()) as late,
    ):
        drop_new_connections(listener)
        late.setblocking(False)
        late.connect_ex(listener.getsockname())
        client.sendall(b"a request")

        accepted, address = listener.accept()
        with closing(accepted):
            assert address == client.getsockname()
            assert accepted.recv(100) == b"a request"
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
