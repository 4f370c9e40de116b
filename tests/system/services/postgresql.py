"""A PostgreSQL of one's own, on loopback, in a folder; gone when the block ends.

As root in CI it installs Debian's package where that is missing. It has to be started by somebody
else than root, so root starts it as the user `postgres` that the package makes.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

PASSWORD = "correct-horse"


class MissingError(Exception):
    """There is no PostgreSQL here, and it may not be installed."""


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Yield the address of an empty database, as SQLAlchemy writes it."""
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="topdb-postgresql-") as place:
        folder = Path(place)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        secret = folder / "password"
        secret.write_text(PASSWORD)
        data = folder / "data"
        options = ["-U", "topdb", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync"]
        _run([str(programs / "initdb"), "-D", str(data), *options])
        port = free_port()
        settings = f"-h 127.0.0.1 -p {port} -k {folder} -F"
        control = str(programs / "pg_ctl")
        log = str(folder / "log")
        _run([control, "-D", str(data), "-l", log, "-o", settings, "-w", "start"])
        try:
            yield f"postgresql://topdb:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            _run([control, "-D", str(data), "-m", "immediate", "-w", "stop"])


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _programs() -> Path:
    found = _installed()
    if found is None and os.geteuid() == 0 and os.environ.get("CI"):
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql"]
        subprocess.run(["apt-get", "update", "-qq"], check=True, capture_output=True)
        subprocess.run(install, check=True, capture_output=True)
        found = _installed()
    if found is None:
        raise MissingError("PostgreSQL is not installed: apt-get install postgresql")
    return found


def _installed() -> Path | None:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").is_file():
            return folder
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def _run(command: Sequence[str]) -> None:
    user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    done = subprocess.run(
        command,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=120,
        **user,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}")
