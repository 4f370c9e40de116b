"""CI's guard: whether a cell's mean drifted from a committed reference."""

import hashlib
import json
from pathlib import Path
from typing import Any

from topdb.config import Params, Profile
from topdb.errors import UserError
from topdb.files import read_json, write_json
from topdb.results.runs import cells
from topdb.results.scores import read_cell
from topdb.statistics import drift_tolerance, headline

SMALLEST_REFERENCE = 10
"""Seeds below which a reference's deviation is too poorly known to guard with."""


def write_reference(params: Params, profile_name: str, results: Path, path: Path) -> None:
    """Write mean, deviation and number of seeds of each metric, in percent, of every cell.

    Raises
    ------
    UserError
        A cell has fewer than ten finished runs.
    """
    profile = params.selected(profile_name)
    found = {}
    for cell in cells(profile):
        scores = read_cell(profile, results, cell, params.metrics)
        name = f"{cell.dataset}/{cell.method}/{cell.ranking}"
        if scores is None or len(scores.seeds) < SMALLEST_REFERENCE:
            raise UserError(
                f"{name} has {0 if scores is None else len(scores.seeds)} finished runs: a "
                f"reference needs {SMALLEST_REFERENCE} seeds or more."
            )
        summaries = {each: headline(scores.by_seed(each)) for each in params.metrics}
        found[name] = {
            each: {"mean": round(own.mean, 4), "sd": round(own.sd, 4), "n": own.n}
            for each, own in summaries.items()
        }
    write_json(path, {"settings_digest": settings_digest(profile), "cells": found})


def check_against_reference(
    params: Params, profile_name: str, results: Path
) -> tuple[bool, list[str]]:
    """Compare every cell with the reference.

    Returns
    -------
    Whether any cell left its tolerance or has no run, and one line a cell.

    Raises
    ------
    UserError
        The reference is missing, broken, of another profile, or knows none of its cells.
    """
    profile = params.selected(profile_name)
    settings = params.check
    if settings.profile not in (None, profile_name):
        raise UserError(
            f"{settings.reference} guards profile {settings.profile}, not {profile_name}: check "
            f"{settings.profile}, or name another reference and profile under check in params.yaml."
        )
    reference = read_json(settings.reference)
    known: dict[str, Any] = reference.get("cells", {})
    wanted = {f"{c.dataset}/{c.method}/{c.ranking}": c for c in cells(profile)}
    guarded = {
        name: [each for each in params.metrics if each in known[name]]
        for name in wanted
        if isinstance(known.get(name), dict)
    }
    tests = sum(map(len, guarded.values()))
    if not tests:
        raise UserError(
            f"{settings.reference} holds none of the cells of profile {profile_name}: write one "
            "with `topdb reference`."
        )
    lines = []
    if reference.get("settings_digest") != settings_digest(profile):
        lines.append(
            f"note: {settings.reference} was measured with other parameters than params.yaml has "
            "now; after a change on purpose, measure it again (`make reference`)."
        )
    drifted = False
    for name, metrics in guarded.items():
        scores = read_cell(profile, results, wanted[name], metrics)
        if scores is None:
            drifted = True
            lines.append(f"MISSING  {name}: no finished run")
            continue
        lacking = len(profile.seeds) - len(scores.seeds)
        if lacking:
            drifted = True
            lines.append(f"MISSING  {name}: {lacking} of {len(profile.seeds)} runs")
        for each in metrics:
            mean = headline(scores.by_seed(each)).mean
            try:
                expected = known[name][each]
                tolerance = drift_tolerance(
                    expected["sd"],
                    expected["n"],
                    len(scores.seeds),
                    alpha=settings.family_error,
                    cells=tests,
                    floor=settings.floor,
                )
                difference = mean - expected["mean"]
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(
                    f"{settings.reference}: cell {name} is broken ({error}): write the file again "
                    "with `topdb reference`."
                ) from None
            outside = abs(difference) > tolerance
            drifted = drifted or outside
            lines.append(
                f"{'DRIFTED' if outside else 'ok     '}  {name}: {each} {mean:.2f}, reference "
                f"{expected['mean']:.2f}, difference {difference:+.2f}, tolerance {tolerance:.2f}"
            )
    unknown = sorted(set(wanted) - set(guarded))
    lines += [f"new      {name}: not in the reference" for name in unknown]
    return drifted, lines


def settings_digest(profile: Profile) -> str:
    """Return a digest of everything but the seeds that a profile's numbers depend on."""
    content = profile.model_dump(mode="json", exclude={"seeds", "doubts"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
