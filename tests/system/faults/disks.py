"""Disks that are full or may only be read."""

import contextlib
from collections.abc import Callable

from system.faults.ground import MESSAGE, VICTIM, Fault, Ground, read_only, small_disk

FULL = "No space left on device; mend it and run the same command again"


def _full(folder: str, kib: int, *undone: str) -> Callable[[Ground], None]:
    """Fill the disk under a folder while what is undone is made."""

    def strike(ground: Ground) -> None:
        ground.undo(*undone)
        with small_disk(ground.folder / folder, kib):
            ground.refused(FULL)

    return strike


def _full_reports(ground: Ground) -> None:
    ground.undo()
    reports = ground.folder / "reports"
    kept = {path: path.read_bytes() for path in reports.rglob("*") if path.is_file()}
    with small_disk(reports, 256):
        for path, content in kept.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        with contextlib.suppress(OSError), (reports / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        ground.refused(FULL)


def _read_only(folder: str) -> Callable[[Ground], None]:
    def strike(ground: Ground) -> None:
        ground.undo(VICTIM)
        with read_only(ground.folder / folder):
            ground.refused("Read-only file system")

    return strike


def _read_only_data(ground: Ground) -> None:
    """Real data sets often lie on a disk that nobody may write to."""
    ground.undo(VICTIM, "results/mini/market1501/index.parquet")
    with read_only(ground.folder / "data"):
        done = ground.run()
        assert done.returncode == 0, done.stdout[-3000:]


FAULTS = [
    Fault("full disk while a training writes", _full(VICTIM, 16, VICTIM), MESSAGE),
    Fault(
        "full disk while images are indexed",
        _full("results/mini/market1501", 64, "results/mini/market1501"),
        MESSAGE,
        always=False,
    ),
    Fault(
        "full disk while a backbone is written",
        _full("results/mini/pretraining/small", 100, "results/mini/pretraining/small", VICTIM),
        MESSAGE,
        always=False,
    ),
    Fault(
        "full disk while a ranking is written",
        _full(f"{VICTIM}/plain", 4, f"{VICTIM}/plain"),
        MESSAGE,
    ),
    Fault("full disk while reports are written", _full_reports, MESSAGE),
    Fault("data folder that may only be read", _read_only_data),
    Fault("results folder that may only be read", _read_only("results"), MESSAGE, always=False),
]
