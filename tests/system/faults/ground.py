"""A small finished grid to disturb, and what has to be true after each disturbance."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
from system.conftest import environment, run, tiny_params

Found = TypeVar("Found")

REPORTS = (
    "reports/table1.md",
    "reports/table2.md",
    "reports/metrics/plain/market1501/top-db-net.json",
)
"""What a disturbed grid has to end with, byte for byte."""
VICTIM = "results/mini/market1501/top-db-net/seed-2"
"""The run that disturbances make unfinished."""


def params() -> dict:
    """Two data sets, two methods, two seeds; without the tracker, which has tests of its own."""
    found = tiny_params()
    found["tracking"]["mode"] = "off"
    found["profiles"]["mini"]["hardware"] = {"runs_per_job": 1}
    return found


class Ground:
    """A project to disturb.

    Every helper that waits gives up after a while and says for what it waited, so that a fault
    that never happened is not mistaken for one that was survived.
    """

    def __init__(self, folder: Path, finished: "Ground | None" = None) -> None:
        self.folder = folder
        self.finished = finished or self
        self.running: subprocess.Popen[bytes] | None = None
        if finished:
            shutil.copytree(finished.folder, folder, symlinks=True, dirs_exist_ok=True)

    def command(self) -> list[str]:
        return ["snakemake", *REPORTS, "--cores", "2"]

    # What a fault does ---------------------------------------------------------------------------

    def undo(self, *names: str) -> None:
        """Delete results, and the reports that come from them, as if not yet made."""
        for name in (*names, "results/mini/comparisons", *REPORTS):
            for path in self.folder.glob(name):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def start(self, *prefix: str) -> None:
        """Start the workflow, and do not wait for it."""
        with (self.folder / "workflow.log").open("ab") as log:
            self.running = subprocess.Popen(
                [*prefix, *self.command()],
                cwd=self.folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def process(self, words: str, seconds: float = 60) -> psutil.Process:
        """Wait for a process of the workflow by words of its command line, past any shell."""
        assert self.running
        workflow = psutil.Process(self.running.pid)

        def found() -> psutil.Process | None:
            for each in workflow.children(recursive=True):
                try:
                    line = each.cmdline()
                except psutil.Error:
                    continue
                if words in " ".join(line) and "python" in Path(line[0]).name:
                    return each
            return None

        return self.wait(found, f"a process `{words}`", seconds)

    def wait(self, found: Callable[[], Found | None], what: str, seconds: float = 60) -> Found:
        """Wait for a condition while the workflow runs."""
        end = time.monotonic() + seconds
        while not (result := found()):
            assert self.running is None or self.running.poll() is None, f"ended before {what}"
            assert time.monotonic() < end, f"never saw {what}"
            time.sleep(0.005)
        return result

    def kill_all(self) -> None:
        """Kill the workflow and every process that it started, as a power cut would."""
        assert self.running
        os.killpg(self.running.pid, signal.SIGKILL)
        self.ended()

    def ended(self, seconds: float = 120) -> int:
        """Wait for the workflow's end; return its exit status."""
        assert self.running
        status = self.running.wait(seconds)
        self.running = None
        return status

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run the workflow to its end."""
        return run(self.folder, *self.command())

    def refused(self, message: str) -> None:
        """Run the workflow: it has to fail with this message, and to show no traceback."""
        done = self.run()
        assert done.returncode != 0, f"went on as if nothing were wrong\n{done.stdout[-3000:]}"
        self.said(message, done.stdout)

    def said(self, message: str, text: str | None = None) -> None:
        """Check what the workflow's log says."""
        text = self.text("workflow.log") if text is None else text
        assert re.search(message, text), text[-3000:]
        assert "Traceback" not in text, text[-3000:]

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(errors="replace")

    # What has to be true afterwards --------------------------------------------------------------

    def finish(self) -> None:
        """Run the same command again; it has to end with the undisturbed tables and weights."""
        if self.running:
            self.kill_all()
        done = self.run()
        assert done.returncode == 0, done.stdout[-4000:]
        for name in REPORTS:
            assert self.text(name) == self.finished.text(name), f"{name} differs"
        assert self.weights() == self.finished.weights()

    def weights(self) -> dict[str, str]:
        """The digest of every run's weights, by run."""
        return {
            str(path.relative_to(self.folder)): json.loads(path.read_text())["weights_digest"]
            for path in sorted(self.folder.glob("results/mini/*/*/*/run.json"))
        }


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[None]:
    """Put a file system of a few KiB over a folder; what was there is back afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)], check=True)
    try:
        (folder / "taken").touch()  # snakemake removes empty folders, which a mounted one is not
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Mount a folder over itself, for reading alone."""
    subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@dataclass(frozen=True)
class Fault:
    """One way in which a cluster, a disk or a person disturbs the work."""

    name: str
    """A noun phrase, for the table of outcomes."""
    strike: Callable[[Ground], None]
    """Disturbs; where one clear message is the outcome, checks it and follows its advice."""
    ends: str = "the same tables"
    always: bool = True
    """Whether every run of the tests tries it, or `make soak` alone."""


MESSAGE = "one clear message, then the same tables"
