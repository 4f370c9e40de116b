"""`topdb index`."""

from pathlib import Path

import typer

from topdb.commands.options import (
    PARAMS,
    DatasetName,
    IndexFile,
    ParamsFile,
    PixelsFile,
    ProfileName,
)
from topdb.config import load
from topdb.datasets.account import account
from topdb.datasets.building import build_index
from topdb.datasets.index import Index, read_index
from topdb.datasets.since import changes
from topdb.errors import UserError


def index(
    dataset: DatasetName,
    out: IndexFile,
    pixels: PixelsFile,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
) -> None:
    """Read a data set's images once: write its index and its decoded pixels."""
    every = load(params)
    settings = every.selected(profile).dataset(dataset)
    before = _before(out)
    built = build_index(
        dataset,
        settings.layout,
        settings.root,
        out,
        pixels,
        distractors=settings.distractors,
        split=settings.split,
        release=settings.release,
        content=settings.content,
        leaks=settings.leaks,
        parts=settings.parts if every.trained_on_parts(profile) else None,
    )
    for split, counts in built.split_counts.items():
        typer.echo(
            f"{dataset} {split}: {counts.images} images of {counts.people} people "
            f"by {counts.cameras} cameras"
        )
    now = dict(zip(built.paths, built.sha256s, strict=True))
    if before and (other := changes(before, now)):
        typer.echo(f"{dataset}: since the index before, {other}.")
    told = account(built)
    typer.echo(f"{dataset}: {told['protocol']}; content {told['content'][:16]}")
    for what in ("conversions", "copies"):
        if told[what]:
            listed = ", ".join(f"{number:,} {kind}" for kind, number in told[what].items())
            typer.echo(f"  {what}: {listed}")
    for leak in told["leaks"]:
        typer.echo(f"  note: {leak}.")


def _before(path: Path) -> Index | None:
    """Return the index that stands there, if it is one that can be read."""
    try:
        return read_index(path)
    except UserError:
        return None
