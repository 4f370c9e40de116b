"""A study as wide as the paper's: fourteen methods on four data sets, scores and images made up."""

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tiny
from PIL import Image

from topdb.config.paper import Paper
from topdb.config.papers import read_papers
from topdb.reporting.reports import write_report
from topdb.results.comparisons import write_comparisons
from topdb.results.examples import ExampleImage, write_example_images

METHODS = (
    *("baseline", "no-drop", "no-reg", "top-db-net", "bot", "osnet", "mgn", "pyramid"),
    *("pyrnet", "abd-net", "mhn", "auto-reid-style", "densem-style", "sona-style"),
)
DATASETS = {
    "market1501": "Market-1501",
    "dukemtmc-reid": "DukeMTMC-reID",
    "cuhk03-labeled": "CUHK03 labeled",
    "cuhk03-detected": "CUHK03 detected",
}
KINDS = {
    "best": (("top-db-net", "plain"),),
    "worst": (("top-db-net", "plain"),),
    "gained": (("baseline", "plain"), ("top-db-net", "plain")),
    "lost": (("baseline", "plain"), ("top-db-net", "plain")),
    "rk-gained": (("top-db-net", "plain"), ("top-db-net", "rk")),
    "rk-lost": (("top-db-net", "plain"), ("top-db-net", "rk")),
}
QUERIES = 24


def _rng(*names: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(names).encode()))


class Grid:
    """A folder with the results of such a grid, its comparisons and its examples."""

    def __init__(self, folder: Path, *, rendered: bool, seeds: int, **changes: Any) -> None:
        self.folder, self.rendered = folder, rendered
        drawn = {"render": tiny.RENDER} if rendered else {}
        self.params = tiny.params(
            folder,
            {
                "methods": list(METHODS),
                "seeds": list(range(1, seeds + 1)),
                "datasets": {
                    name: {"title": title, "layout": name, "root": f"data/{name}", **drawn}
                    for name, title in DATASETS.items()
                },
                **changes,
            },
        )
        self.results = folder / "results"
        self.profile = self.params.selected("tiny")
        self.papers = read_papers(self.params, tiny.PAPERS)
        self._run(self.papers[0])
        self.comparisons = []
        for table in self.papers[0].tables:
            path = folder / f"{table}.parquet"
            write_comparisons(tiny.compared(self.params, self.results, table), path)
            self.comparisons.append(path)
        self.examples = folder / "examples.parquet"
        write_example_images(self.examples, self._examples())

    def _run(self, paper: Paper) -> None:
        printed = {
            (row.method, row.ranking, *key): value.value
            for rows in paper.rows.values()
            for row in rows
            for key, value in row.values.items()
        }
        for dataset in self.profile.datasets:
            for number, method in enumerate(self.profile.methods):
                for seed in self.profile.seeds:
                    run = tiny.write_run(
                        self.results, dataset, method, seed, epochs=5, rendered=self.rendered
                    )
                    for ranking in self.profile.rankings:
                        usual = 55.0 + 2.5 * number + 8.0 * (ranking == "rk")
                        ap = printed.get((method, ranking, dataset, "mAP"), usual)
                        self._score(run, dataset, method, seed, ranking, ap)

    def _score(
        self, run: Path, dataset: str, method: str, seed: int, ranking: str, ap: float
    ) -> None:
        of_cell, of_seed = _rng(dataset, method, ranking), _rng(dataset, method, ranking, seed)
        offset = of_cell.choice([-2.4, -0.9, -0.2, 0.0, 0.3, 1.0, 2.2])
        aim = min((ap + offset + 0.35 * of_seed.normal()) / 100.0, 0.97)
        hard = _rng(dataset).normal(size=QUERIES)
        raw = 0.18 * hard + 0.05 * of_seed.normal(size=QUERIES)
        scores = np.clip(aim + raw - raw.mean(), 0.01, 1.0)
        scores += (aim - scores.mean()) * (1.0 - scores) / max((1.0 - scores).mean(), 1e-9)
        first = np.where(scores > np.quantile(scores, 1 - min(aim + 0.08, 1.0)), 1, 4)
        pids = [1 + query // 2 for query in range(QUERIES)]
        tiny.write_queries(run, np.clip(scores, 0.0, 1.0).tolist(), ranking, first.tolist(), pids)

    def _examples(self) -> Iterator[ExampleImage]:
        for dataset in self.profile.datasets:
            for kind, lists in KINDS.items():
                for place in (1, 2):
                    for method, ranking in lists:
                        yield from _list(dataset, kind, place, method, ranking)

    def page(self, name: str = "index.html", **changes: Any) -> Path:
        """Write the page; `changes` replace arguments of `write_report`."""
        out = self.folder / name
        arguments = {
            "what": "page",
            "params": self.params,
            "profile_name": "tiny",
            "results": self.results,
            "comparisons": self.comparisons,
            "out": [out],
            "examples": self.examples,
            "root": tiny.PAPERS,
            **changes,
        }
        write_report(**arguments)
        return out


def _list(dataset: str, kind: str, place: int, method: str, ranking: str) -> Iterator[ExampleImage]:
    rng = _rng(dataset, kind, place, method, ranking)
    own = int(_rng(dataset, kind, place).integers(0, 40))
    for rank in range(11):
        person = own if rank == 0 or rng.random() < 0.6 else int(rng.integers(0, 40))
        frame = int(rng.integers(0, 4)) if rank else 0
        yield ExampleImage(
            dataset=dataset,
            kind=kind,
            place=place,
            query=f"query/{own:04d}_c1s1.jpg",
            matches=6,
            method=method,
            ranking=ranking,
            seed=1,
            seeds=5,
            ap=0.61,
            mean_ap=0.634,
            rank=rank,
            path=f"query/{own:04d}_c1s1.jpg" if not rank else f"gallery/{person:04d}_{frame}.jpg",
            right=None if not rank else person == own,
            width=48,
            height=112,
            image=_picture(dataset, person, frame),
        )


def _picture(dataset: str, person: int, frame: int) -> bytes:
    """A figure of a head, a coat, trousers and shoes on a noisy ground: as heavy as a photo."""
    rng, own = _rng(dataset, person, frame), _rng(dataset, person)
    pixels = np.full((112, 48, 3), rng.integers(90, 200, 3), np.int64)
    left = 14 + int(rng.integers(-3, 4))
    for top, bottom, inset in ((6, 22, 5), (22, 60, 0), (60, 100, 3), (100, 109, 1)):
        pixels[top:bottom, left + inset : left + 20 - inset] = own.integers(20, 235, 3)
    pixels += rng.integers(-22, 23, pixels.shape)
    stream = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(stream, "WEBP", quality=70)
    return stream.getvalue()
