"""Runs as the paper's profile would leave them, simulated around the published numbers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tiny

from topdb.config import Params
from topdb.config.papers import read_papers
from topdb.evidence.cells import printed_values
from topdb.results.runs import Cell, Run, cells

PEOPLE, QUERIES = 50, 400
DATASETS = {
    "market1501": ("Market-1501", 0.0, 0.1),
    "dukemtmc-reid": ("DukeMTMC-reID", 3.0, 0.1),
    "cuhk03-labeled": ("CUHK03 labeled", -4.0, 0.1),
    "cuhk03-detected": ("CUHK03 detected", 1.4, 0.9),
}
"""Title, how far our mean lies from the published one, and deviation between seeds, in points."""
CHANGES = {
    "methods": ["baseline", "no-drop", "no-reg", "top-db-net"],
    "seeds": [1, 2, 3, 4, 5],
    "datasets": {
        name: {"title": title, "layout": name, "root": f"data/{name}"}
        for name, (title, _, _) in DATASETS.items()
    },
    "statistics": {"draws": 1000},
}
GAIN = 8.0
"""What re-ranking gives where the paper prints nothing."""


COMPETITORS = ["bot", "mgn"]
"""One that the paper prints re-ranked too, on two data sets; and one that it prints on all four."""
UNPRINTED = {"mAP": 70.0, "R1": 80.0}
"""Where the paper prints nothing of a method at all."""


def one_family(content: dict[str, Any]) -> None:
    """Put all claims of a paper's file into one family."""
    content["families"] = {
        "all": [claim for family in content["families"].values() for claim in family]
    }


def write_study(
    folder: Path, missing: tuple[Run, ...] = (), competitors: bool = False
) -> tuple[Params, Path]:
    """Write parameters and runs; return the parameters and the folder of the runs.

    All claims of the paper beside them are one family.
    """
    tiny.change_paper(folder, one_family)
    methods = [*CHANGES["methods"], *(COMPETITORS if competitors else [])]
    params = tiny.params(folder, {**CHANGES, "methods": methods})
    results = folder / "results"
    (paper,) = read_papers(params, tiny.PAPERS)
    printed = {key: each.value for key, each in printed_values(paper).items()}
    for number, cell in enumerate(cells(params.selected())):
        _, shift, sd = DATASETS[cell.dataset]
        targets = {}
        for quantity in params.metrics:
            plain = printed.get((replace(cell, ranking="plain"), quantity), UNPRINTED[quantity])
            usual = plain if cell.ranking == "plain" else min(plain + GAIN, 96.0)
            targets[quantity] = printed.get((cell, quantity), usual) + shift
        for seed in params.selected().seeds:
            run = Run(cell.dataset, cell.method, seed)
            if run not in missing:
                _write(results, cell, run, targets, sd, np.random.default_rng([number, seed]))
    return params, results


def _write(
    results: Path,
    cell: Cell,
    run: Run,
    targets: dict[str, float],
    sd: float,
    rng: np.random.Generator,
) -> None:
    """Queries whose mean AP and share of hits are the targets, but for the seed's luck."""
    people = np.arange(QUERIES) % PEOPLE
    # Seeds from -1.2 to 1.2 deviations, in the same order in each cell: no luck in the tests.
    luck = sd * 0.77 * (run.seed - 3)
    hard = np.random.default_rng([7, len(cell.dataset)]).normal(size=PEOPLE)[people]
    effort = hard + rng.normal(size=QUERIES)
    effort -= effort.mean()
    wanted = (targets["mAP"] + luck) / 100.0
    effort *= 0.98 * min(wanted, 1.0 - wanted) / np.abs(effort).max()
    hits = round(QUERIES * min(1.0, (targets["R1"] + luck) / 100.0))
    first = np.full(QUERIES, 2)
    first[np.argsort(-effort, kind="stable")[:hits]] = 1
    folder = tiny.write_run(results, run.dataset, run.method, run.seed)
    tiny.write_queries(
        folder,
        (wanted + effort).tolist(),
        cell.ranking,
        first=first.tolist(),
        pids=(people + 1).tolist(),
    )
