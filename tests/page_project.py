"""A small study with images, evaluated for real: all that the page is made of."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import tiny

from topdb.config import Params
from topdb.datasets.building import build_index
from topdb.examples import write_examples
from topdb.files import digest
from topdb.reporting.reports import write_report
from topdb.results.comparisons import write_comparisons
from topdb.runs.evaluate import evaluate

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">{{ 7 * 7 }} & 'quotes'"
"""A name that is markup, closes a script, and is a template, to whom lets it."""
SEEDS = [1, 2, 3]
CHANGES = {
    "seeds": SEEDS,
    "ranking": {"k1": 6, "k2": 3},
    "datasets.market1501.title": HOSTILE,
    "examples": {"queries": 2, "shown": 5, "height": 24},
}


def _add_hostile_row(content: dict[str, Any]) -> None:
    rows = content["tables"]["table2"]["blocks"][0]["rows"]
    content["tables"]["table2"]["blocks"][0]["rows"] = {HOSTILE: None, **rows}


class Study:
    """A folder with results, published numbers, and everything up to the page."""

    def __init__(self, folder: Path, *, rendered: bool) -> None:
        self.folder = folder
        root = folder / "data"
        tiny.draw_market(root, test_people=12)
        drawn = {"datasets.market1501.render": tiny.RENDER} if rendered else {}
        self.changes = {**CHANGES, "datasets.market1501.root": str(root), **drawn}
        self.params: Params = tiny.params(folder, self.changes)
        self.results = folder / "results"
        self.papers = tiny.change_paper(folder, _add_hostile_row)
        self._print_hostile_row()
        self._run(root)
        self.comparisons = folder / "table2.parquet"
        write_comparisons(tiny.compared(self.params, self.results), self.comparisons)
        self.examples = folder / "examples.parquet"
        write_examples(self.params, "tiny", self.results, self.examples)

    def _print_hostile_row(self) -> None:
        path = self.papers / "top_db_net/table2.csv"
        with path.open(newline="", encoding="utf-8") as stream:
            header, *rows = csv.reader(stream)
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerows([header, [HOSTILE, *rows[0][1:]], *rows])

    def _run(self, root: Path) -> None:
        folder = self.results / "market1501"
        index = build_index(
            "market1501", "market1501", root, folder / "index.parquet", folder / "pixels.npy"
        )
        query, gallery = index.split("query"), index.split("gallery")
        for number, method in enumerate(("baseline", "top-db-net")):
            for seed in SEEDS:
                run = tiny.write_run(self.results, "market1501", method, seed)
                rng = np.random.default_rng([number, seed])
                people = rng.normal(size=(200, 8))

                def features(pids: np.ndarray, rng=rng, people=people, number=number):
                    noise = rng.normal(size=(len(pids), 8)) * (1.3 - 0.5 * number)
                    return (people[pids] + noise).astype(np.float32)

                arrays = {
                    f"{split}_{name}": value
                    for split, rows in (("query", query), ("gallery", gallery))
                    for name, value in (
                        ("features", features(rows.pids)),
                        ("pids", rows.pids),
                        ("camids", rows.camids),
                        ("paths", np.array(rows.paths)),
                    )
                }
                path = tiny.write_features(run / "features.npz", **arrays)
                stated = {"features_digest": digest(path)}
                tiny.write_run(self.results, "market1501", method, seed, **stated)
                for ranking in ("plain", "rk"):
                    settings = self.params.selected("tiny").ranking
                    evaluate(path, ranking, settings, run / ranking, threads=1)

    def page(self, name: str = "index.html", **changes: object) -> Path:
        """Write the page; `changes` replace arguments of `write_report`."""
        out = self.folder / name
        arguments = {
            "what": "page",
            "params": self.params,
            "profile_name": "tiny",
            "results": self.results,
            "comparisons": [self.comparisons],
            "out": [out],
            "examples": self.examples,
            "root": self.papers,
            **changes,
        }
        write_report(**arguments)
        return out
