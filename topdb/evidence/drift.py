"""CI's guard: whether a cell, a method or everything drifted from a committed reference."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from topdb.config import HardwareSettings, Params, Profile
from topdb.errors import UserError
from topdb.files import read_json, write_json
from topdb.results.runs import Cell, cells
from topdb.results.scores import CellScores, read_scores
from topdb.statistics import DriftCell, DriftFinding, check_drift, headline

SMALLEST_REFERENCE = 10
"""Seeds below which a reference's deviation is too poorly known to guard with."""
_WITHOUT_EFFECT: dict[str, Any] = {
    **dict.fromkeys(("heading", "seeds", "methods", "rankings", "reference_method"), True),
    **dict.fromkeys(("doubts", "snapshots", "resources", "test_on"), True),
    "hardware": HardwareSettings.WITHOUT_EFFECT,
    "divergence": True,
    "start": {"kept"},
}
"""What a profile holds and no cell's number depends on: also which other cells there are."""


def write_reference(params: Params, profile_name: str, results: Path, path: Path) -> None:
    """Write each metric of every cell, in percent, seed by seed.

    Raises
    ------
    UserError
        A cell has fewer than ten finished runs.
    """
    profile = params.selected(profile_name)
    found = {}
    for cell, scores in read_scores(profile, results, params.metrics).items():
        name = _name(cell)
        if scores is None or len(scores.seeds) < SMALLEST_REFERENCE:
            raise UserError(
                f"{name} has {0 if scores is None else len(scores.seeds)} finished runs: a "
                f"reference needs {SMALLEST_REFERENCE} seeds or more."
            )
        if scores.unsound:
            raise UserError(f"{name}: {scores.unsound} A reference is of sound runs: find out why.")
        found[name] = {
            metric: {
                str(seed): round(value, 4)
                for seed, value in zip(scores.seeds, scores.by_seed(metric).tolist(), strict=True)
            }
            for metric in params.metrics
        }
    write_json(path, {"settings_digest": settings_digest(profile), "cells": found})


def check_against_reference(
    params: Params, profile_name: str, results: Path
) -> tuple[bool, list[str]]:
    """Compare cells, methods and everything with the reference.

    Returns
    -------
    Whether any of them left its tolerance or a cell has no run, and one line each.

    Raises
    ------
    UserError
        The reference is missing, broken, of another profile, or knows none of its cells.
    """
    profile = params.selected(profile_name)
    settings = params.check
    reference = read_json(settings.reference)
    as_measured = reference.get("settings_digest") == settings_digest(profile)
    if not as_measured and settings.profile not in (None, profile_name):
        raise UserError(
            f"{settings.reference} guards profile {settings.profile}, not {profile_name}, whose "
            f"parameters are others: check {settings.profile}, or name another reference and "
            "profile under check in params.yaml."
        )
    known = reference.get("cells", {})
    guarded = {}
    for cell in cells(profile):
        own = known.get(_name(cell))
        metrics = [each for each in params.metrics if each in own] if isinstance(own, dict) else []
        if metrics:
            guarded[cell] = {m: _past(settings.reference, _name(cell), own[m]) for m in metrics}
    if not guarded:
        raise UserError(
            f"{settings.reference} holds none of the cells of profile {profile_name}: write one "
            "with `topdb reference`."
        )
    lines = []
    if not as_measured:
        lines.append(
            f"note: {settings.reference} was measured with other parameters than params.yaml has "
            "now; after a change on purpose, measure it again (`make reference`)."
        )
    compared: list[DriftCell] = []
    equal, paired = 0, 0
    missing: list[str] = []
    read = read_scores(profile, results, params.metrics)
    for cell, past in guarded.items():
        scores = read[cell]
        lacking = len(profile.seeds) - (len(scores.seeds) if scores else 0)
        if lacking:
            runs = f"{lacking} of {len(profile.seeds)} runs" if scores else "no finished run"
            missing.append(f"MISSING  {_name(cell)}: {runs}")
        if scores and scores.unsound:
            missing.append(f"DRIFTED  {_name(cell)}: {scores.unsound}")
        elif scores:
            compared += [_compared(profile, cell, m, past[m], scores) for m in past]
            for metric, own in past.items():
                own_seeds = _by_seed(scores, metric)
                shared = own_seeds.keys() & own.by_seed.keys()
                paired += len(shared)
                equal += sum(round(own_seeds[seed], 4) == own.by_seed[seed] for seed in shared)
    found = check_drift(
        compared,
        alpha=settings.family_error,
        floor=settings.floor,
        pooled_floor=settings.pooled_floor,
    )
    singles = iter(compared)
    for finding in found:
        lines.append(_line(finding, next(singles) if finding.level == "cell" else None))
    unknown = sorted({_name(cell) for cell in cells(profile)} - {_name(cell) for cell in guarded})
    lines += [*missing, *(f"new      {name}: not in the reference" for name in unknown)]
    if paired:
        lines.append(f"same     {equal} of {paired} numbers of equal seeds are the reference's own")
    return bool(missing) or any(each.drifted for each in found), lines


def settings_digest(profile: Profile) -> str:
    """Return a digest of everything but the seeds that the number of a cell depends on.

    Defaults are left out, so that a parameter that is new changes no digest of before.
    """
    content = profile.model_dump(mode="json", exclude=_WITHOUT_EFFECT, exclude_defaults=True)
    said = {key: value for key, value in content.items() if value != {}}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class _Past:
    """What the reference has of a cell's metric, in percent."""

    mean: float
    sd: float
    n: int
    by_seed: Mapping[int, float] = field(default_factory=dict)
    """Empty in references of the former form, which had mean, deviation and number alone."""


def _past(path: Path, name: str, content: Any) -> _Past:
    try:
        if "mean" in content:
            found = _Past(float(content["mean"]), float(content["sd"]), int(content["n"]))
        else:
            by_seed = {int(seed): float(value) for seed, value in content.items()}
            whole = headline(list(by_seed.values()))
            found = _Past(whole.mean, whole.sd, whole.n, by_seed)
        if found.n < 2 or not (np.isfinite(found.mean) and found.sd >= 0):
            raise ValueError(f"{found.n} seeds with deviation {found.sd}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path}: cell {name} is broken ({error}): write the file again with `topdb reference`."
        ) from None
    return found


def _compared(
    profile: Profile, cell: Cell, metric: str, past: _Past, scores: CellScores
) -> DriftCell:
    """Return a cell before and now; the seeds that both have are pairs."""
    now = _by_seed(scores, metric)
    pairs = [now[seed] - past.by_seed[seed] for seed in now if seed in past.by_seed]
    paired = len(pairs) >= 2
    return DriftCell(
        name=_name(cell),
        group=cell.method,
        block=cell.dataset,
        measure=metric,
        reference_mean=past.mean,
        reference_sd=past.sd,
        reference_n=past.n,
        mean=float(np.mean(list(now.values()))),
        n=len(now),
        paired_difference=float(np.mean(pairs)) if paired else float("nan"),
        paired_sd=float(np.std(pairs, ddof=1)) if paired else float("nan"),
        paired_n=len(pairs) if paired else 0,
        primary=cell.ranking == "plain" or "plain" not in profile.rankings,
    )


def _by_seed(scores: CellScores, metric: str) -> dict[int, float]:
    return dict(zip(scores.seeds, scores.by_seed(metric).tolist(), strict=True))


def _name(cell: Cell) -> str:
    return f"{cell.dataset}/{cell.method}/{cell.ranking}"


def _line(finding: DriftFinding, single: DriftCell | None) -> str:
    """Return a finding in words; of a single cell also its means."""
    if single:
        what = f"{finding.measure} {single.mean:.2f}, reference {single.reference_mean:.2f}"
    else:
        what = f"{finding.measure}, mean of {finding.cells} cells"
    name = {"all": "all methods", "group": f"method {finding.name}"}.get(
        finding.level, finding.name
    )
    text = (
        f"{'DRIFTED' if finding.drifted else 'ok     '}  {name}: {what}, difference "
        f"{finding.difference:+.2f}, tolerance {finding.tolerance:.2f}"
    )
    if finding.paired_difference == finding.paired_difference:
        text += (
            f"; over equal seeds {finding.paired_difference:+.2f}, tolerance "
            f"{finding.paired_tolerance:.2f}"
        )
    return text
