"""A tracking server that answers without end."""

import socket
import threading
from collections.abc import Iterator

import pytest

from topdb.limits import ANSWER_BYTES, MIB
from topdb.tracking.store import Store, reason

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"


@pytest.fixture
def flood() -> Iterator[tuple[str, list[int]]]:
    """The address of such a server, and a list of the bytes that each connection took."""
    sent: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def pour(client: socket.socket) -> None:
            taken = 0
            with client:
                try:
                    client.recv(65536)
                    client.sendall(HEAD)
                    while taken < 16 * ANSWER_BYTES:
                        client.sendall(b" " * MIB)
                        taken += MIB
                except OSError:
                    pass
            sent.append(taken)

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=pour, args=(client,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", sent


def test_no_more_of_an_answer_is_read_than_the_bound(flood, monkeypatch):
    address, sent = flood
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(Exception, match="more than 64 MiB") as caught:
        Store()
    assert "refused" in reason(caught.value)
    assert max(sent, default=0) < 4 * ANSWER_BYTES
