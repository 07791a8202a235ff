"""The floor with http.client instead of the bare socket."""

from http.client import HTTPConnection

from benchmarks.peers import floor

connection = HTTPConnection(floor.HOST)
handler = floor.handler


def send(path, body):
    connection.request("POST", path, body, floor.signed(path, body))
    return connection.getresponse().read()


floor.connection.close()
floor.send = send
