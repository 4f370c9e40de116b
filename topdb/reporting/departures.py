"""Where `params.yaml` says something else by now than the runs were made with: theirs counts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from topdb.config import Profile
from topdb.results.records import RunRecord, flat, inner
from topdb.results.stored import Evaluation, StoredRun

_SHOWN = 80
"""Characters of a value that a note shows."""
_RERANKING = {"k1": "k1", "k2": "k2", "lambda": "original_weight", "variant": "variant"}
"""What an evaluator calls the parameters of re-ranking, and what a profile does."""


@dataclass(frozen=True)
class Departure:
    """A key of a profile with its value, and another that runs were made with."""

    key: str
    now: str
    then: str
    runs: tuple[str, ...]
    """Their folders below the results."""


def departures(
    profile: Profile, stored: Sequence[StoredRun], evaluated: Sequence[Evaluation]
) -> list[Departure]:
    """Return every key of which the profile says another value than the runs themselves.

    What runs do not tell, as older ones do not, is not asked of them.
    """
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for each in stored:
        for difference in _of_run(profile, each):
            found.setdefault(difference, {})[each.name] = None
    for each, ranking, summary in evaluated:
        for difference in _of_evaluator(profile, summary.evaluator, ranking == "rk"):
            found.setdefault(difference, {})[each.name] = None
    return [Departure(*key, tuple(runs)) for key, runs in found.items()]


def followed(profile: Profile, records: Sequence[RunRecord]) -> str:
    """Return the side of the recipe that runs followed: the profile's where any did, or none is."""
    sides = dict.fromkeys(each.recipe.side for each in records if each.recipe.side)
    return profile.recipe if profile.recipe in sides or not sides else ", ".join(sides)


def _of_run(profile: Profile, stored: StoredRun) -> Iterator[tuple[str, str, str]]:
    run, record = stored.run, stored.record
    drawn = profile.datasets[run.dataset].render is not None
    if record.rendered is not None and record.rendered != drawn:
        now, then = ("drawn data" if each else "no drawn data" for each in (drawn, record.rendered))
        yield f"datasets.{run.dataset}.render", now, then
    own: dict[str, Any] = {"scale": profile.scale.model_dump(mode="json")}
    told: dict[str, Any] = {"scale": record.scale}
    if "start" in record.content:
        start = profile.start.model_dump(mode="json") if profile.start else {}
        own["start"], told["start"] = _start(start), _start(record.start or {})
    hardware = profile.hardware.model_dump(mode="json", include={"autocast", "tf32"})
    own["hardware"], told["hardware"] = hardware, inner(record.content, "hardware")
    if "changed" in record.content:
        changes = profile.changes_of(run.method, run.dataset)
        listed = [each.model_dump(mode="json", exclude_defaults=True) for each in changes]
        own[f"changes.{run.method}"] = json.dumps(listed, sort_keys=True)
        told[f"changes.{run.method}"] = json.dumps(record.content["changed"], sort_keys=True)
    yield from _differing(own, told)


def _start(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a start without where its files lie, which no run depends on."""
    left_out = ("dataset", "weights")
    return {"kind": None} | {key: content[key] for key in content if key not in left_out}


def _of_evaluator(
    profile: Profile, told: Mapping[str, Any], reranked: bool
) -> Iterator[tuple[str, str, str]]:
    settings = profile.ranking
    own: dict[str, Any] = {"ap_rule": settings.ap_rule}
    then: dict[str, Any] = {"ap_rule": told.get("ap_rule")}
    if reranked:
        reranking = inner(told, "reranking")
        own |= {name: getattr(settings, name) for name in _RERANKING.values()}
        then |= {_RERANKING[key]: reranking[key] for key in _RERANKING if key in reranking}
    yield from _differing({"ranking": own}, {"ranking": then})


def _differing(own: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    then = dict(flat(told))
    for key, now in flat(own):
        if then.get(key, now) != now:
            yield key, now[:_SHOWN], then[key][:_SHOWN]
