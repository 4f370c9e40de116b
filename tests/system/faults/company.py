"""Others at work in the same folder, what they left behind, and clocks that lie."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from system.conftest import environment
from system.faults.ground import VICTIM, Fault, Ground


def _two_workflows(ground: Ground) -> None:
    ground.undo(VICTIM)
    ground.start()
    ground.process("topdb train")
    second = ground.run()
    assert second.returncode != 0
    ground.said("another snakemake works in this folder", second.stdout)
    assert ground.ended() == 0


def _same_training_twice(ground: Ground) -> None:
    """A run that somebody starts by hand while the workflow makes it."""
    ground.undo(VICTIM)
    ground.start()
    line = ground.process("topdb train").cmdline()
    by_hand = subprocess.run(
        line, cwd=ground.folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert "Traceback" not in by_hand.stderr, by_hand.stderr
    ground.ended()


def _orphan(ground: Ground) -> None:
    """Snakemake killed and started again at once, while the orphaned training still writes."""
    ground.undo(VICTIM)
    ground.start()
    training = ground.process("topdb train")
    assert ground.running
    ground.running.kill()
    ground.ended()
    assert training.is_running()


def _left_behind(make: Callable[[Path], None]) -> Callable[[Ground], None]:
    def strike(ground: Ground) -> None:
        ground.undo(VICTIM)
        make(ground.folder)

    return strike


def _locks(folder: Path) -> None:
    locks = folder / ".snakemake/locks"
    locks.mkdir(parents=True, exist_ok=True)
    (locks / "0.output.lock").write_text("results/mini/market1501/index.parquet\n")


def _partial_files(folder: Path) -> None:
    for name in (f"{VICTIM}/.weights.safetensors.0.partial", "reports/.table1.md.0.partial"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")


def _empty_folder(folder: Path) -> None:
    (folder / VICTIM / "plain").mkdir(parents=True)


def _times(seconds: float, *patterns: str) -> Callable[[Ground], None]:
    """Give files the time of another clock."""

    def strike(ground: Ground) -> None:
        _touch(ground, time.time() + seconds, *patterns)
        ground.undo(VICTIM)

    return strike


def _clock_set_back(*patterns: str) -> Callable[[Ground], None]:
    """Let inputs come from the future, as they do where one machine's clock is behind."""

    def strike(ground: Ground) -> None:
        _times(DAY, *patterns)(ground)
        done = ground.run()
        assert done.returncode == 0, done.stdout[-4000:]
        ground.said("files from the future are of now", done.stdout)

    return strike


def _touch(ground: Ground, moment: float, *patterns: str) -> None:
    touched = [path for pattern in patterns for path in ground.folder.glob(pattern)]
    assert touched
    for path in touched:
        os.utime(path, (moment, moment))


DAY = 86_400.0
FAULTS = [
    Fault("two snakemakes started at once", _two_workflows),
    Fault("a training started twice at once", _same_training_twice, always=False),
    Fault("snakemake killed and started again beside its orphan", _orphan),
    Fault("Snakemake's locks left behind", _left_behind(_locks)),
    Fault("half-written files left behind", _left_behind(_partial_files), always=False),
    Fault("an empty run folder left behind", _left_behind(_empty_folder), always=False),
    Fault(
        "clock set back a day: all results are from the future",
        _clock_set_back("results/mini/*/*/*/*.*", "results/mini/*/*.*"),
        always=False,
    ),
    Fault(
        "clock set back a day: the inputs are from the future",
        _clock_set_back("data/mini/*/rendered.json", "results/mini/*/index.parquet"),
        always=False,
    ),
    Fault("files of 1970", _times(-time.time() + 1.0, "results/mini/*/*/*/*.*"), always=False),
]
