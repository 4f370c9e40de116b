"""No room of the package imports another that is not on its row (docs/architecture.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny

PACKAGE = tiny.ROOT / "topdb"
COMMON = {"errors", "files", "kinds", "limits"}
ROOMS = {
    "errors": set(),
    "checkout": set(),
    "litter": set(),
    "fingerprint": {"errors", "files", "litter"},
    "code": set(),
    "limits": {"errors"},
    "kinds": {"errors"},
    "files": {"errors", "limits"},
    "config": {"errors", "kinds", "limits", "metrics"},
    "parquet": {"errors", "limits"},
    "results": {"config", "metrics", "parquet"} | COMMON,
    "evidence": {"config", "datasets", "results", "metrics", "statistics"} | COMMON,
    "datasets": {"config", "litter", "parquet"} | COMMON,
    "drawn": {"config", "datasets", "fingerprint"} | COMMON,
    "methods": {"config"} | COMMON,
    "engine": {"config", "datasets", "methods", "pickled", "results"} | COMMON,
    "runs": {
        *("config", "results", "datasets", "methods", "engine", "retrieval", "metrics"),
        *("formats", "checkout", "code", "pickled", "topdb"),
    }
    | COMMON,
    "pickled": {"errors"},
    "formats": {"pickled", "results"} | COMMON,
    "metrics": set(),
    "retrieval": {"metrics"},
    "examples": {"config", "results", "datasets"} | COMMON,
    "statistics": set(),
    "reporting": {"config", "results", "metrics", "statistics", "evidence"} | COMMON,
    "models": {"evidence", "runs", "errors"},
    "planning": {"config", "results", "code", "fingerprint", "datasets"} | COMMON,
    "secrets": {"errors"},
    "tracking": {"config", "results", "secrets"} | COMMON,
}
FREE = {"cli", "commands", "__init__"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(source: str) -> set[str]:
    """The full names of the modules that a source imports, wherever it does."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that this test can read them"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def topdb_rooms(source: str) -> set[str]:
    """The rooms that a source imports; `topdb` for the package itself, as for its version."""
    rooms = set()
    for name in imported(source):
        if name == "topdb":
            rooms.add("topdb")
        elif name.startswith("topdb."):
            rooms.add(name.split(".")[1])
    return rooms


def test_parquet_is_read_in_one_place_that_starts_no_thread():
    reading = ("ParquetFile(", "pq.read_table(")
    found = [room(each) for each in MODULES if any(word in each.read_text() for word in reading)]
    assert found == ["parquet"]


def libraries(source: str) -> set[str]:
    return {name.partition(".")[0] for name in imported(source)}


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def importers(library: str) -> Iterator[str]:
    return (name_of(path) for path in MODULES if library in libraries(path.read_text()))


def test_every_module_lies_in_a_room_of_the_plan():
    assert {room(path) for path in MODULES} == set(ROOMS) | FREE


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_its_room_may(path):
    own = room(path)
    if own in FREE:
        return
    assert topdb_rooms(path.read_text()) <= ROOMS[own] | {own}


def test_the_reader_sees_every_kind_of_import():
    source = (
        "import topdb\nfrom topdb.config import x\nfrom topdb import results\n"
        "def f():\n    import topdb.tracking as t\n    from torch import nn\n"
    )
    assert topdb_rooms(source) == {"topdb", "config", "results", "tracking"}
    assert libraries(source) == {"topdb", "torch"}


def test_only_tracking_knows_mlflow_and_only_its_command_knows_tracking():
    assert {Path(name).parts[0] for name in importers("mlflow")} == {"tracking"}
    inside = [path for path in MODULES if "tracking" in topdb_rooms(path.read_text())]
    outside = {name_of(path) for path in inside if room(path) != "tracking"}
    assert outside == {"commands/track.py"}


def test_only_methods_training_and_the_gpus_products_know_torch():
    others = {
        name
        for name in importers("torch")
        if not name.startswith(("methods/", "engine/", "runs/", "pickled"))
    }
    assert others == {"retrieval/cuda.py", "formats/torch_dump.py"}


TORCHVISIONS = [f"methods/backbones/{name}.py" for name in ("densenet201", "resnet101", "resnet50")]


def test_only_torchvisions_own_backbones_know_it():
    assert list(importers("torchvision")) == TORCHVISIONS


def test_methods_do_not_know_how_they_are_trained_or_of_each_other():
    files = {path.stem for path in (PACKAGE / "methods").glob("*.py") if path.stem != "__init__"}
    assert len(files) >= 11
    for path in (PACKAGE / "methods").rglob("*.py"):
        names = imported(path.read_text())
        known = {name.split(".")[2] for name in names if name.startswith("topdb.methods.")}
        assert known & files <= {path.stem}, name_of(path)


def test_nothing_but_the_finder_names_a_method_that_is_in_no_list():
    """The loop names no method: adding one edits no file."""
    methods = {path.stem for path in (PACKAGE / "methods").glob("*.py")} - {"__init__"}
    for path in [*(PACKAGE / "engine").rglob("*.py"), *(PACKAGE / "runs").rglob("*.py")]:
        words = {
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        named = words & {each.replace("_", "-") for each in methods}
        assert named <= {"osnet"}, name_of(path)  # which is a backbone, too


def test_evidence_goes_one_way():
    """Scores to pairs, to cells and claims, to comparisons, to the answer."""
    order = ["grounds", "pairs", "looks", "instability", "cells", "claims", "comparing", "answer"]
    for number, name in enumerate(order):
        names = imported((PACKAGE / f"evidence/{name}.py").read_text())
        known = {each.split(".")[2] for each in names if each.startswith("topdb.evidence.")}
        assert known <= {*order[:number]}, name


def test_nothing_names_a_table_or_a_metric_of_a_paper():
    """Papers and metrics are data; bundles of format 1 alone had one paper."""
    for path in (*PACKAGE.glob("[cer]*/*.py"), PACKAGE / "planning.py"):
        if room(path) not in ("config", "evidence", "results", "reporting", "planning"):
            continue
        words = {
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        if path.stem not in ("former", "run_diff", "evaluation"):
            assert not words & {"table1", "table2"}, name_of(path)
            known = {"mAP", "R1"} if name_of(path) == "config/file.py" else set()
            assert words & {"mAP", "mINP", "R1"} <= known, name_of(path)


@pytest.mark.parametrize("library", ["altair", "jinja2", "markupsafe", "vl_convert"])
def test_only_reports_know_what_they_are_drawn_with(library):
    found = list(importers(library))
    assert found
    assert all(name.startswith("reporting/") for name in found)


def runs_at_import(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run when the module is imported: no function body, no type checking."""
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]


@pytest.mark.parametrize(
    ("file", "library"),
    [
        ("retrieval/cuda.py", "torch"),
        ("tracking/store.py", "mlflow"),
        *((file, "torchvision") for file in TORCHVISIONS),
    ],
)
def test_costly_libraries_are_imported_where_they_are_used(file, library):
    tree = ast.parse((PACKAGE / file).read_text())
    eager = [node for node in runs_at_import(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert eager
    assert library not in libraries("\n".join(ast.unparse(node) for node in eager))


def test_the_workflow_tools_are_unknown_to_the_package():
    for tool in ("snakemake", "dvc"):
        assert list(importers(tool)) == []


def test_the_walks_cross_files_that_there_are():
    text = (tiny.ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    walks = text.partition("## Two walks")[2].partition("\n## ")[0]
    named = {name for name in walks.split("`")[1::2] if "/" in name.strip("/")}
    assert len(named) > 15
    for name in named - {"methods/parts/"}:
        found = [PACKAGE / f"{name}.py", PACKAGE / "datasets" / f"{name}.py"]
        assert any(path.is_file() for path in found), name
