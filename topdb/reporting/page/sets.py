"""The profile's data sets: what opens behind their names, from the runs' own records."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from topdb.reporting.evidence import Evidence
from topdb.results.records import RunRecord, StatedData, inner

SPLITS = {"train": "Training", "query": "Query", "gallery": "Gallery"}


@dataclass(frozen=True)
class Split:
    """One part of a data set: counts by name, as `images`, `people`, `cameras`."""

    title: str
    counts: Mapping[str, Any]


@dataclass(frozen=True)
class DataSet:
    """What is known of a data set."""

    id: str
    """The name of its details."""
    name: str
    title: str
    facts: tuple[tuple[str, str], ...]
    splits: tuple[Split, ...]
    counted: tuple[str, ...]
    """The names of the counts."""


def set_id(dataset: str) -> str:
    """Return the name by which the heads of columns find a data set's details."""
    return f"data-{dataset}"


def data_sets(evidence: Evidence) -> tuple[DataSet, ...]:
    """Return the profile's data sets in its order."""
    records = [stored.record for stored in evidence.stored]
    return tuple(
        _data_set(evidence, name, [each for each in records if each.dataset == name])
        for name in evidence.profile.datasets
    )


def _data_set(evidence: Evidence, name: str, records: Sequence[RunRecord]) -> DataSet:
    settings = evidence.profile.datasets[name]
    stated = list(dict.fromkeys(each.data for each in records))
    counts: dict[str, Any] = {}
    for each in records:
        counts = inner(inner(each.content, "data"), "counts") or counts
    splits = tuple(
        Split(title, told) for key, title in SPLITS.items() for told in [inner(counts, key)] if told
    )
    return DataSet(
        id=set_id(name),
        name=name,
        title=evidence.title(name),
        facts=tuple(_facts(str(settings.layout), bool(settings.render), records, stated)),
        splits=splits,
        counted=tuple(dict.fromkeys(key for split in splits for key in split.counts)),
    )


def _facts(
    layout: str, drawn: bool, records: Sequence[RunRecord], stated: Sequence[StatedData]
) -> Iterable[tuple[str, str]]:
    yield "layout", layout
    if drawn:
        yield "images", "drawn by topdb"
    yield "finished runs", str(len(records))
    listed = (
        ("protocol", [each.protocol for each in stated]),
        ("digest of the index", [(each.index_digest or "")[:16] for each in records]),
        ("digest of the content", [each.content[:16] for each in stated]),
        ("converted", [_counted(each.conversions) for each in stated]),
        ("copies of other images", [_counted(each.copies) for each in stated]),
        ("doubtful", [leak for each in stated for leak in each.leaks]),
    )
    for title, found in listed:
        known = [each for each in dict.fromkeys(found) if each]
        if known:
            yield title, "; ".join(known)


def _counted(counts: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts)
