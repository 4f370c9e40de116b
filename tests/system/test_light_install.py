"""The wheel alone: features are evaluated and compared, and runs judged, without torch."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
import tiny
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from topdb.cli import EXTRAS
from topdb.commands import commands

OK = tiny.ROOT / "tests/cases/ok.npz"
SCORE = "mAP 58.93 [50.43, 66.94]  R1 75.00 [59.53, 85.95]"
NEED_TORCH = {
    *("check-method", "cross", "estimate", "extract", "import-weights", "pretrain", "recipes"),
    "train",
}


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "-qq", *map(str, arguments), "--no-deps", "--no-index"]
    subprocess.run(command, check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(tiny.ROOT / "topdb", source / "topdb")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(tiny.ROOT / name, source)
    pip("wheel", "--no-build-isolation", "--wheel-dir", out, source)
    return next(out.glob("topdb-*.whl"))


def needed(found: Distribution, known: dict[str, Distribution]) -> dict[str, Distribution]:
    """Add what a distribution needs, without extras, and what those need."""
    for line in found.requires or ():
        need = Requirement(line)
        name = canonicalize_name(need.name)
        if name in known or (need.marker and not need.marker.evaluate({"extra": ""})):
            continue
        known[name] = distribution(name)
        needed(known[name], known)
    return known


@pytest.fixture(scope="module")
def light(tmp_path_factory, wheel):
    """An environment with the wheel and what it needs, which are linked to what is here."""
    folder = tmp_path_factory.mktemp("light")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    python = folder / "env/bin/python"
    pip("--python", python, "install", "--no-compile", wheel)
    packages = next((folder / "env/lib").glob("python3*/site-packages"))
    (own,) = packages.glob("topdb-*.dist-info")
    shown = folder / "shown"
    shown.mkdir()
    for each in needed(Distribution.at(own), {}).values():
        for top in {file.parts[0] for file in each.files or () if ".." not in file.parts}:
            if top != "__pycache__" and not (shown / top).is_symlink():
                (shown / top).symlink_to(each.locate_file(top))
    (packages / "shown.pth").write_text(f"{shown}\n")
    return folder


@pytest.fixture
def topdb(light, tmp_path):
    """Run the wheel's own command in an empty folder."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment = own | {"PATH": "/usr/bin:/bin", "NUMBA_CACHE_DIR": str(tmp_path / "numba")}

    def run(*arguments: str | Path, status: int = 0, program: str = "topdb") -> str:
        done = subprocess.run(
            [light / "env/bin" / program, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stderr[-1500:]
        return done.stderr if status else done.stdout

    return run


def bytes_in(folder: Path) -> int:
    return sum(
        path.stat().st_size
        for top in folder.iterdir()
        for path in (top.rglob("*") if top.is_dir() else [top])
        if path.is_file()
    )


def test_nothing_heavy_is_there_and_the_whole_is_small(light, topdb):
    absent = ("torch", "torchvision", "mlflow", "snakemake", "dvc", "pandas", "numba", "matplotlib")
    script = "import importlib.util as u, sys; print([u.find_spec(n) for n in sys.argv[1:]])"
    assert topdb("-c", script, *absent, program="python") == f"{[None] * len(absent)}\n"
    where = topdb("-c", "import topdb; print(topdb.__file__)", program="python")
    assert where.startswith(str(light))
    assert bytes_in(light / "shown") + bytes_in(light / "env/lib") < 600e6


def test_features_are_evaluated_and_shown(topdb, tmp_path):
    assert topdb("--help").count("\n") > len(commands(()))
    assert SCORE in topdb("evaluate", OK, "--out", "scores")
    versions = json.loads((tmp_path / "scores/plain/metrics.json").read_text())["made_by"]
    assert {*versions["versions"]} == {"topdb", "numpy"}
    topdb("page", "scores")
    assert "<html" in (tmp_path / "scores/index.html").read_text("utf-8")


def test_models_are_compared(topdb, tmp_path):
    shutil.copy(OK, tmp_path / "a.npz")
    shutil.copy(tiny.ROOT / "tests/cases/offset.npz", tmp_path / "b.npz")
    assert "mAP" in topdb("compare", "a.npz", "b.npz", "--out", "comparison")
    names = {path.suffix for path in (tmp_path / "comparison").iterdir()}
    assert {".md", ".csv", ".json", ".html"} <= names


def test_a_data_set_is_verified(topdb, tmp_path):
    tiny.draw_market(tmp_path / "market")
    told = topdb("verify", "market1501", "--root", "market", "--allow-partial")
    assert "published" in told


def test_a_bundle_is_judged(topdb, tmp_path):
    shutil.copytree(tiny.PAPERS, tmp_path / "papers")
    tiny.write_params(tmp_path, {"rankings": ["plain"]})
    for method in ("baseline", "top-db-net"):
        for seed in (1, 2):
            folder = tiny.write_run(tmp_path / "results/tiny", "market1501", method, seed)
            tiny.write_queries(folder, [0.5, 0.7])
    topdb("bundle", "--out", "bundle.tar.gz")
    for name in ("papers", "results"):
        shutil.rmtree(tmp_path / name)
    (tmp_path / "params.yaml").unlink()
    told = topdb("verdict", "bundle.tar.gz")
    assert "figure2 and figure3 are not drawn, since matplotlib is not installed: pip inst" in told
    for name in ("table1.md", "table2.tex", "verdict.json", "index.html", "plots/seeds.svg"):
        assert (tmp_path / "verdict" / name).is_file(), name


EACH = """
import contextlib, io, json, sys
from topdb.cli import main
from topdb.commands import commands
found = {}
for name in commands(()):
    sys.argv = ["topdb", name, "--help"]
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as end:
            found[name] = end.code, told.getvalue()
print(json.dumps(found))
"""


def sentence(package: str) -> str:
    return (
        f"topdb: this command needs {package}, which is not installed: pip install "
        f"'topdb[{EXTRAS[package]}]'.\n"
    )


def test_each_command_helps_or_names_the_extra_that_it_needs(topdb):
    found = json.loads(topdb("-c", EACH, program="python"))
    assert {*found} == {*commands(())}
    assert {name for name, (status, _) in found.items() if status} == NEED_TORCH
    for name in NEED_TORCH:
        assert found[name] == [2, sentence("torch")]


def test_what_needs_an_extra_later_names_it_too(topdb, tmp_path):
    again = ("evaluate", OK, "--out", "rk", "--ranking", "rk")
    assert topdb(*again, status=2) == sentence("numba")
    said = topdb(
        "compare", OK, OK.with_name("offset.npz"), "--ranking", "rk", "--out", "c", status=2
    )
    assert said == sentence("numba")
    said = topdb("evaluate", OK, "--out", "gpu", "--device", "cuda", status=2)
    assert re.search(
        r"torch is not installed; pip install 'topdb\[train\]', or use 'cpu'\.\n$", said
    )
    tiny.write_params(tmp_path)
    (tmp_path / "results/tiny").mkdir(parents=True)
    assert topdb("figure", "figure2", "--out", "f.png", status=2) == sentence("matplotlib")
    tiny.draw_market(tmp_path / "market")
    said = topdb("add", "market1501", "market", status=2)
    assert "the program dvc is not installed: pip install 'topdb[workflow]'" in said
    tiny.write_run(tmp_path / "results/tiny", "market1501", "baseline", 1)
    assert topdb("track", status=2) == sentence("mlflow")
    assert not any((tmp_path / name).exists() for name in ("rk", "c", "gpu", "f.png"))


def test_a_command_that_trains_names_its_extra(topdb):
    assert topdb("train", "market1501", "baseline", "1", status=2) == sentence("torch")
