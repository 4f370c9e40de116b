"""A real `mlflow server` on loopback, and one that is slow."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from system.services.postgresql import free_port


@dataclass
class Server:
    """A tracking server and its processes."""

    address: str
    process: subprocess.Popen

    def kill(self) -> None:
        """Kill it with its children, as a power cut does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def mlflow_server(store: str, folder: Path) -> Iterator[Server]:
    """Run a server that keeps its runs in `store` and artifacts in `folder`."""
    port = free_port()
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "mlflow",
                "server",
                *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
                *("--backend-store-uri", store, "--artifacts-destination", str(folder)),
            ],
            cwd=folder,
            env={
                **os.environ,
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "MLFLOW_DISABLE_TELEMETRY": "true",
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        _wait_for(server, folder / "server.log")
        yield server
    finally:
        server.kill()


def _wait_for(server: Server, log: Path) -> None:
    end = time.monotonic() + 120
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{server.address}/health", timeout=5).close()
            return
        if server.process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(log.read_text()[-2000:])
        time.sleep(0.2)


@contextlib.contextmanager
def slow(target: str, seconds: float) -> Iterator[str]:
    """Yield the address of a proxy that passes every connection on after so many seconds."""
    host, port = target.removeprefix("http://").split(":")
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)

        def serve() -> None:
            while not stopped.is_set():
                try:
                    client, _ = listening.accept()
                except TimeoutError:
                    continue
                except OSError:
                    return
                threading.Thread(target=pass_on, args=(client,), daemon=True).start()

        def pass_on(client: socket.socket) -> None:
            with client, contextlib.suppress(OSError):
                if stopped.wait(seconds):
                    return
                with socket.create_connection((host, int(port))) as server:
                    back = threading.Thread(target=copy, args=(server, client), daemon=True)
                    back.start()
                    copy(client, server)
                    back.join()

        def copy(source: socket.socket, sink: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while received := source.recv(65536):
                    sink.sendall(received)
                sink.shutdown(socket.SHUT_WR)

        accepting = threading.Thread(target=serve, daemon=True)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            stopped.set()
            accepting.join()
