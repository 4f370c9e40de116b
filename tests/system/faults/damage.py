"""Files that are damaged: cut short, overwritten by zeros as after a power cut, or lost."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from system.faults.ground import MESSAGE, VICTIM, Fault, Ground


def cut(path: Path) -> None:
    """Keep the first half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def zero(path: Path) -> None:
    """Overwrite the middle third of a file by zeros."""
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = bytes(third)
    path.write_bytes(content)


def flip(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def empty(path: Path) -> None:
    """Leave a file of no bytes."""
    path.write_bytes(b"")


def _found(
    name: str, harm: Callable[[Path], None], message: str, *undone: str
) -> Callable[[Ground], None]:
    """Damage a file that the next step reads; delete it when the message says so."""

    def strike(ground: Ground) -> None:
        ground.undo(*undone)
        path = ground.folder / name
        before = path.read_bytes()
        harm(path)
        assert path.read_bytes() != before
        ground.refused(message)
        path.unlink()

    return strike


def better(path: Path) -> None:
    """Write a better mAP into a summary."""
    path.write_text(re.sub(r'"mAP": [\d.]+', '"mAP": 0.99', path.read_text()))


def of_another(path: Path) -> None:
    """Put the same file of the seed beside it there, with its time."""
    other = Path(str(path).replace("seed-2", "seed-1"))
    shutil.copy2(other, path)


def _swapped(ground: Ground) -> None:
    """Two runs' folders, each in the other's place."""
    one, other = ground.folder / VICTIM, ground.folder / VICTIM.replace("seed-2", "seed-1")
    ground.undo()
    _exchange(one, other)
    ground.refused(r"is of seed \d, and lies where \d belongs")
    for run in (one, other):  # either may have been made again by then
        shutil.rmtree(run)


def _exchange(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def _lost(*names: str) -> Callable[[Ground], None]:
    """Delete files that are there, so that they have to be made again."""

    def strike(ground: Ground) -> None:
        for name in names:
            path = ground.folder / name
            assert path.exists()
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        ground.undo()

    return strike


def _broken_parameters(ground: Ground) -> None:
    path = ground.folder / "params.yaml"
    before = path.read_bytes()
    path.write_bytes(before[: len(before) // 2] + b"\n  : [")
    ground.refused(r"params\.yaml")
    path.write_bytes(before)


def _broken_published(ground: Ground) -> None:
    path = ground.folder / "papers/top_db_net/table1.csv"
    before = path.read_bytes()
    path.write_bytes(b"")
    ground.undo()
    ground.refused(r"table1\.csv")
    path.write_bytes(before)


MARKET = "results/mini/market1501"
BACKBONE = "results/mini/pretraining/small/backbone.safetensors"
RANKED = (f"{VICTIM}/plain", f"{VICTIM}/rk")
RUNS = f"{MARKET}/*/seed-*"
FAULTS = [
    Fault(
        "features cut short",
        _found(f"{VICTIM}/features.npz", cut, r"features\.npz", *RANKED),
        MESSAGE,
    ),
    Fault(
        "features with one bit flipped",
        _found(f"{VICTIM}/features.npz", flip, r"features\.npz", *RANKED),
        MESSAGE,
    ),
    Fault(
        "features of no bytes",
        _found(f"{VICTIM}/features.npz", empty, r"features\.npz", *RANKED),
        MESSAGE,
        always=False,
    ),
    Fault(
        "index cut short",
        _found(f"{MARKET}/index.parquet", cut, r"index\.parquet", VICTIM),
        MESSAGE,
        always=False,
    ),
    Fault(
        "index with zeros in it",
        _found(f"{MARKET}/index.parquet", zero, r"index\.parquet", VICTIM),
        MESSAGE,
        always=False,
    ),
    Fault(
        "decoded images cut short",
        _found(f"{MARKET}/pixels.npy", cut, r"pixels\.npy", VICTIM),
        MESSAGE,
        always=False,
    ),
    Fault(
        "decoded images with one bit flipped",
        _found(f"{MARKET}/pixels.npy", flip, r"pixels\.npy", VICTIM),
        MESSAGE,
        always=False,
    ),
    Fault(
        "backbone with one bit flipped",
        _found(BACKBONE, flip, r"backbone\.safetensors", VICTIM),
        MESSAGE,
        always=False,
    ),
    Fault(
        "backbone cut short",
        _found(BACKBONE, cut, r"backbone\.safetensors", VICTIM),
        MESSAGE,
        always=False,
    ),
    Fault(
        "scores of queries cut short",
        _found(f"{VICTIM}/plain/queries.parquet", cut, r"queries\.parquet"),
        MESSAGE,
    ),
    Fault(
        "scores of queries with one bit flipped",
        _found(f"{VICTIM}/plain/queries.parquet", flip, r"queries\.parquet"),
        MESSAGE,
        always=False,
    ),
    Fault(
        "metrics of a ranking cut short",
        _found(f"{VICTIM}/plain/metrics.json", cut, r"metrics\.json"),
        MESSAGE,
        always=False,
    ),
    Fault(
        "metrics of a ranking edited to a better score",
        _found(f"{VICTIM}/plain/metrics.json", better, r"metrics\.json"),
        MESSAGE,
        always=False,
    ),
    Fault(
        "scores of queries of another seed, as old as its own",
        _found(f"{VICTIM}/plain/queries.parquet", of_another, r"queries\.parquet"),
        MESSAGE,
        always=False,
    ),
    Fault(
        "features of another seed",
        _found(f"{VICTIM}/features.npz", of_another, r"features\.npz", *RANKED),
        MESSAGE,
        always=False,
    ),
    Fault("two runs' folders swapped", _swapped, MESSAGE, always=False),
    Fault("record of a run cut short", _found(f"{VICTIM}/run.json", cut, r"run\.json"), MESSAGE),
    Fault(
        "record of a run of no bytes",
        _found(f"{VICTIM}/run.json", empty, r"run\.json"),
        MESSAGE,
        always=False,
    ),
    Fault("parameters cut short in an editor", _broken_parameters, MESSAGE),
    Fault("published numbers of no bytes", _broken_published, MESSAGE, always=False),
    Fault("a run's folder lost", _lost(VICTIM)),
    Fault("scores of a run lost", _lost(f"{VICTIM}/plain/queries.parquet")),
    Fault("weights lost", _lost(f"{VICTIM}/weights.safetensors"), always=False),
    Fault("index lost", _lost(f"{MARKET}/index.parquet"), always=False),
    Fault("drawn images lost", _lost("data/mini/market1501"), always=False),
    Fault("Snakemake's records lost", _lost(".snakemake/metadata"), always=False),
    Fault("logs lost", _lost("logs"), always=False),
]
