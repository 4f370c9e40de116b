"""What stands against a verdict: why a cell's runs are not what the paper's number is of.

A verdict needs the paper's network, recipe and protocol, its data whole, and none of them drawn.
The runs' own records say what they are, `run.json` and `metrics.json`; what `params.yaml` says
by now is looked at only to see whether it calls the data drawn.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topdb.config import FULL, IMAGENET_FILES, Profile, RankingSettings, dropped_in, method_files
from topdb.config.methods import Declared, declared
from topdb.datasets.account import account
from topdb.datasets.index import read_index
from topdb.datasets.layouts import LayoutOfSplits, load_layout, published
from topdb.results.evaluation import read_metrics
from topdb.results.records import AUTHORS, RunRecord, inner, read_record
from topdb.results.runs import Cell, Run, RunFiles, cells

DRAWN = "the data are rendered"
_SIDES = ("released", "described")
_OF_A_TEST = ("size", "width")
"""What of a scale matters to weights that were not trained here."""


@dataclass(frozen=True)
class Grounds:
    """What stands against the verdict of each cell of a profile."""

    rendered: bool
    """Whether any data are drawn; then nothing else is said."""
    against: Mapping[Cell, tuple[str, ...]]
    """By cell, each ground in words that may follow a colon; empty where there is none."""

    def allow(self, cell: Cell) -> bool:
        """Whether the paper's number for a cell may stand beside ours."""
        return not self.rendered and not self.against.get(cell)

    def sentence(self, *wanted: Cell) -> str:
        """Return all grounds against some cells in one sentence; empty where there is none."""
        found = dict.fromkeys(each for cell in wanted for each in self.against.get(cell, ()))
        told = "; ".join(found)
        return f"{told[0].upper()}{told[1:]}." if told else ""


def find_grounds(profile: Profile, results: Path, folders: Sequence[Path] = ()) -> Grounds:
    """Read what the finished runs say of themselves; `folders` hold methods of one's own.

    Raises
    ------
    UserError
        A run's file is broken.
    """
    files = method_files(folders)
    records = {
        (dataset, method, seed): read_record(path)
        for dataset in profile.datasets
        for method in profile.methods
        for seed in profile.seeds
        if (path := RunFiles(Run(dataset, method, seed).folder(results)).record).is_file()
    }
    if profile.rendered or any(each.rendered for each in records.values()):
        return Grounds(True, dict.fromkeys(cells(profile), (DRAWN,)))
    found: dict[Cell, tuple[str, ...]] = {}
    of_runs = {
        key: tuple(_of_run(record, key[0], declared(files[key[1]]), results))
        for key, record in records.items()
    }
    for cell in cells(profile):
        own: list[str] = []
        for seed in profile.seeds:
            run = Run(cell.dataset, cell.method, seed)
            if run.queries(results, cell.ranking).is_file():
                own += of_runs.get(
                    (cell.dataset, cell.method, seed), ("a run has scores and no run.json",)
                )
                own += _of_scores(run.metrics(results, cell.ranking), cell)
        found[cell] = tuple(dict.fromkeys(own))
    return Grounds(False, found)


def _of_run(record: RunRecord, dataset: str, method: Declared, results: Path) -> Iterator[str]:
    yield from _of_network(record, method)
    yield from _of_recipe(record, method)
    yield from _of_data(record, dataset, results)


def _of_network(record: RunRecord, method: Declared) -> Iterator[str]:
    scale = record.scale
    built = record.backbone or inner(scale, "backbones").get(method.backbone, method.backbone)
    if built != method.backbone:
        yield f"the network is {built}, the paper's is {method.backbone}"
    full = FULL.model_dump(mode="json")
    counts = _OF_A_TEST if record.origin == AUTHORS else [key for key in full if key != "backbones"]
    if not scale:
        yield "a run does not tell its scale"
    shrunk = [f"{key} {scale[key]}" for key in counts if scale.get(key, full[key]) != full[key]]
    if shrunk:
        yield f"the recipe is scaled ({', '.join(shrunk)})"


def _of_recipe(record: RunRecord, method: Declared) -> Iterator[str]:
    side = record.recipe.side
    if side not in _SIDES:
        yield f"the recipe is the variant {side}" if side else "a run does not tell its recipe"
    if record.recipe.changes:
        yield "the recipe is changed"
    start = (record.start or {}).get("kind")
    # A backbone that was never published with weights starts at random in its paper too.
    if record.origin != AUTHORS and start != "imagenet" and IMAGENET_FILES.get(method.backbone):
        begins = "a pretraining of ours" if start else "random weights"
        yield f"the network starts from {begins}, the paper's from ImageNet"


def _of_data(record: RunRecord, dataset: str, results: Path) -> Iterator[str]:
    told = inner(record.content, "data") or _indexed(record, results / dataset / "index.parquet")
    layout, known = told.get("layout"), dropped_in("datasets/layouts")
    if not told:
        yield "a run does not tell what its data set holds"
    elif layout not in known or (dataset in known and dataset != layout):
        yield f"the images are of {layout}, the paper's of {dataset}"
    elif not (stated := published(str(layout))):
        yield f"nobody states what {layout} holds, so that its images cannot be verified"
    else:
        counts = inner(told, "counts")
        for split, expected in stated.items():
            for quantity in ("people", "images", "cameras"):
                wanted = getattr(expected, quantity)
                found = inner(counts, split).get(quantity)
                if wanted is not None and found != wanted:
                    yield (
                        f"the data are not the published ones ({split} has {found} {quantity} "
                        f"instead of {wanted})"
                    )
                    return


def _indexed(record: RunRecord, path: Path) -> dict[str, Any]:
    """Return what the index says that a run is of, which older runs do not tell themselves."""
    if not path.is_file() or record.index_digest is None:
        return {}
    index = read_index(path)
    return account(index) if index.digest == record.index_digest else {}


def _of_scores(path: Path, cell: Cell) -> Iterator[str]:
    if not path.is_file():
        yield "a run has scores and no metrics.json"
        return
    evaluator = read_metrics(path).evaluator
    if evaluator.get("ap_rule") != "step":
        yield f"the AP rule is {evaluator.get('ap_rule')}, the papers' is step"
    if str(evaluator.get("junk_rule", "")).startswith("cameras are ignored"):
        yield "cameras are ignored, and the papers leave out a query's own"
    if evaluator.get("single_gallery_shot") and not _has_splits(cell.dataset):
        yield "the CMC is of one gallery image a person, the papers' is of all"
    reranking, usual = inner(evaluator, "reranking"), RankingSettings()
    stated = [reranking.get(key) for key in ("k1", "k2", "lambda")]
    if cell.ranking == "rk" and stated != [usual.k1, usual.k2, usual.original_weight]:
        told = "k1 {}, k2 {}, lambda {}".format(*stated)
        yield f"the parameters of re-ranking are not the usual ones ({told})"


def _has_splits(dataset: str) -> bool:
    """Whether a data set is one of those whose papers draw one gallery image a person."""
    known = dropped_in("datasets/layouts")
    return dataset in known and isinstance(load_layout(dataset), LayoutOfSplits)
