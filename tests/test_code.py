"""Which results an edit of a file makes stale: those whose code imports it, and no others."""

import ast
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tiny

from topdb import code, planning
from topdb.config import declared, load, method_files

MINI = load(tiny.ROOT / "params.yaml").selected("mini")
METHODS = sorted(method_files())
REPORTS = {"examples", "compare", "report", "bundle", "reference"}
"""The steps that read scores."""
OWN = tiny.ROOT / "tests/methods/own/one_stream.py"


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A copy of the package, to edit."""
    copy = tmp_path_factory.mktemp("code") / "topdb"
    shutil.copytree(tiny.ROOT / "topdb", copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(autouse=True)
def here(package, monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(code, "_PACKAGE", package)
    code._imports.cache_clear()
    yield
    code._imports.cache_clear()


def digests(package: Path, own: Path | None = None) -> dict[str, str]:
    """The digest of every method's runs, of every backbone's pretraining, and of every step."""
    files = {name: package / "methods" / f"{name.replace('-', '_')}.py" for name in METHODS}
    if own:
        files["own"] = own
    backbones = {name: MINI.scale.backbone(declared(file).backbone) for name, file in files.items()}
    found = {name: code.method_code(files[name], backbones[name]) for name in files}
    found |= {f"pretraining {each}": code.pretraining_code(each) for each in backbones.values()}
    steps = planning._SOURCES.items()
    return found | {step: code.code_digest(*where) for step, where in steps}


@contextmanager
def edited(path: Path, text: str = "\n# Another comment.\n") -> Iterator[None]:
    before = path.read_bytes()
    try:
        path.write_bytes(before + text.encode())
        yield
    finally:
        path.write_bytes(before)


def stale(package: Path, name: str, text: str = "\n# Another comment.\n") -> set[str]:
    """What an edit of a file of the package makes stale."""
    before = digests(package)
    with edited(package / name, text):
        after = digests(package)
    assert digests(package) == before
    return {key for key in before if before[key] != after[key]}


def users(part: str) -> set[str]:
    """The methods whose own files import a part, or a part that imports it."""
    parts = tiny.ROOT / "topdb/methods/parts"

    def named(file: Path) -> set[str]:
        modules = {
            node.module or ""
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.ImportFrom)
        }
        prefix = "topdb.methods.parts."
        return {each.removeprefix(prefix) for each in modules if each.startswith(prefix)}

    def reached(file: Path) -> set[str]:
        found: set[str] = set()
        waiting = named(file)
        while waiting:
            each = waiting.pop()
            found.add(each)
            waiting |= named(parts / f"{each}.py") - found
        return found

    return {name for name, file in method_files().items() if part in reached(file)}


@pytest.mark.parametrize("method", METHODS)
def test_an_edit_of_a_methods_file_is_of_its_runs_alone(method, package):
    assert stale(package, f"methods/{method.replace('-', '_')}.py") == {method}


@pytest.mark.parametrize("part", ["streams", "stripes", "drop", "attention", "high_order"])
def test_an_edit_of_a_part_is_of_the_methods_that_use_it(part, package):
    found = stale(package, f"methods/parts/{part}.py")
    assert users(part) <= found
    if part != "drop":  # of which snapshots of every method take their maps
        assert found == users(part)
        assert found < {*METHODS}


def test_a_new_method_or_part_is_of_no_other_runs(package):
    before = digests(package)
    for name in ("methods/one_more.py", "methods/parts/one_more.py"):
        (package / name).write_text("from topdb.methods.contract import Method\n")
    code._imports.cache_clear()
    try:
        assert digests(package) == before
    finally:
        for name in ("methods/one_more.py", "methods/parts/one_more.py"):
            (package / name).unlink()


@pytest.mark.parametrize(
    "name",
    [
        "runs/estimate.py",
        "runs/importing.py",
        "runs/recipes.py",
        "runs/conformance/__init__.py",
        "commands/train.py",
        "cli.py",
        "tracking/record.py",
        "planning.py",
        "code.py",
        "methods/backbones/resnet50.py",
    ],
)
def test_an_edit_of_what_decides_on_no_result_makes_none_stale(name, package):
    assert stale(package, name) == set()


@pytest.mark.parametrize(
    "name",
    [
        "engine/loop.py",
        "engine/state.py",
        "engine/batches.py",
        "methods/contract/recipe.py",
        "methods/contract/method.py",
        "methods/parts/augmentation.py",
        "methods/__init__.py",
        "config/scale.py",
    ],
)
def test_an_edit_of_the_loop_is_of_every_run_and_pretraining(name, package):
    """And of nothing else, but for what reads parameters: reports."""
    pretrainings = {key for key in digests(package) if key.startswith("pretraining ")}
    read = REPORTS if name == "config/scale.py" else set()
    assert stale(package, name) - read == {*METHODS, *pretrainings}


@pytest.mark.parametrize(
    "name", ["runs/extraction.py", "runs/train.py", "runs/record.py", "results/snapshots.py"]
)
def test_an_edit_of_what_follows_training_is_of_every_run(name, package):
    # Reports read runs with their snapshots.
    read = REPORTS if name == "results/snapshots.py" else set()
    assert stale(package, name) - read == {*METHODS}


def test_an_edit_of_how_features_are_written_is_of_every_run_and_its_scores(package):
    assert stale(package, "results/features.py") == {*METHODS, "evaluate"}


def test_an_edit_of_a_backbone_is_of_the_methods_that_are_built_on_it(package):
    own = {"osnet": "osnet"}  # every other method is built on `small` here
    named = {name: declared(file).backbone for name, file in method_files().items()}
    assert {name: named[name] for name in named if named[name] in own.values()} == own
    for name, backbone in own.items():
        file = f"methods/backbones/{backbone.replace('-', '_')}.py"
        assert stale(package, file) == {name, f"pretraining {backbone}"}
    expected = {*METHODS} - {*own} | {"pretraining small"}
    assert stale(package, "methods/backbones/small.py") == expected


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("metrics/first_match.py", {"evaluate", *REPORTS} - {"examples", "bundle"}),
        ("results/runs.py", {"evaluate", *REPORTS}),
        ("config/paper.py", REPORTS),
        ("commands/options.py", REPORTS),
        ("runs/evaluate.py", {"evaluate"}),
        ("retrieval/ranking.py", {"evaluate"}),
        ("evidence/comparing.py", REPORTS - {"examples", "bundle"}),
        ("reporting/page/templates/page.css", {"report"}),
        ("statistics/permutation.py", REPORTS - {"examples", "bundle"}),
        ("drawn/people.py", {"render"}),
    ],
)
def test_an_edit_of_a_step_is_of_those_that_import_it(name, steps, package):
    assert (package / name).is_file()
    found = stale(package, name)
    direct = {
        step
        for step, (starts, _) in planning._SOURCES.items()
        if any((package / name).is_relative_to(package / start) for start in starts)
    }
    assert direct <= found
    assert found & {*METHODS} == set()
    assert found <= steps | direct
    assert found


@pytest.mark.parametrize("step", ["evaluate", *sorted(REPORTS)])
def test_every_file_that_can_change_a_report_is_in_the_digest_of_its_step(step, package):
    """By what each rule of the workflow runs: never is one report new and another one stale."""
    text = "".join(path.read_text() for path in (tiny.ROOT / "workflows").glob("*.smk"))
    rules = [
        rule
        for rule in re.split(r"\n *(?:use )?rule\b", text)
        if f'PLAN["source"]["{step}"]' in rule
    ]
    commands = {name for rule in rules for name in re.findall(r'"topdb ([\w-]+)', rule)}
    assert commands
    files = [package / f"commands/{name.replace('-', '_')}.py" for name in commands]
    behind = code._closure(files, ("",))
    missing = {
        each.relative_to(package).as_posix()
        for each in behind - code._closure(*planning._SOURCES[step])
    }
    if step == "evaluate":
        # Snakemake gives it each parameter by itself and no index; intervals are not written.
        given = (
            "commands",
            "config",
            "errors",
            "files",
            "limits",
            "parquet",
            "evidence",
            "statistics",
        )
        indexed = ("datasets", "litter", "runs/indexed", "results/runs")
        stating = {"code.py", "checkout.py", "runs/__init__.py"}
        missing = {each for each in missing - stating if not each.startswith(given + indexed)}
    assert missing == set()


def test_files_of_results_are_of_the_steps_that_import_them(package):
    assert "evaluate" in stale(package, "results/evaluation.py")
    assert {"compare", "report"} <= stale(package, "results/runs.py")


def test_imports_count_wherever_they_stand_and_however_they_are_written(package):
    part = package / "methods/parts/one_more.py"
    part.write_text("value = 1\n")
    bot = package / "methods/bot.py"
    try:
        for line in (
            "\nfrom topdb.methods.parts.one_more import value\n",
            "\nfrom topdb.methods.parts import one_more\n",
            "\nimport topdb.methods.parts.one_more as other\n",
            "\ndef late():\n    from topdb.methods.parts import one_more\n",
        ):
            with edited(bot, line):
                code._imports.cache_clear()  # a process reads a file's imports once
                assert stale(package, "methods/parts/one_more.py") == {"bot"}, line
        code._imports.cache_clear()
        assert stale(package, "methods/parts/one_more.py") == set()
    finally:
        part.unlink()


def test_the_place_and_the_age_of_the_files_do_not_count(package, tmp_path, monkeypatch):
    before = digests(package)
    moved = tmp_path / "elsewhere/topdb"
    shutil.copytree(package, moved, copy_function=shutil.copyfile)
    (moved / "methods/__pycache__").mkdir()
    (moved / "methods/__pycache__/bot.cpython-311.pyc").write_bytes(b"1")
    (moved / "reporting/__pycache__").mkdir()
    (moved / "reporting/__pycache__/x.pyc").write_bytes(b"1")
    monkeypatch.setattr(code, "_PACKAGE", moved)
    assert digests(moved) == before


def test_a_method_of_ones_own_is_known_by_its_file_wherever_it_lies(package, tmp_path):
    places = [tmp_path / name / "one_stream.py" for name in ("here", "there")]
    for place in places:
        place.parent.mkdir()
        shutil.copyfile(OWN, place)
    first = digests(package, places[0])
    assert digests(package, places[1]) == first
    with edited(places[0]):
        second = digests(package, places[0])
    assert {key for key in first if first[key] != second[key]} == {"own"}
    # What it imports from the package counts, as for the package's own.
    with edited(package / "methods/parts/augmentation.py"):
        assert digests(package, places[0])["own"] != first["own"]
    with edited(package / "methods/parts/stripes.py"):
        assert digests(package, places[0])["own"] == first["own"]


def test_helpers_of_a_method_of_ones_own_count_wherever_python_finds_them(
    package, tmp_path, monkeypatch
):
    own = tmp_path / "mine/two.py"
    files = {
        own: "import json\nimport torch\nimport near\nfrom pack.inner import y\nimport far\n",
        tmp_path / "mine/near.py": "from pack import z\n",
        tmp_path / "mine/pack/__init__.py": "from .inner import y\nz = 1\n",
        tmp_path / "mine/pack/inner.py": "from . import deep\ny = 1\n",
        tmp_path / "mine/pack/deep.py": "import near\n",
        tmp_path / "elsewhere/far.py": "x = 1\n",
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "mine/other.py").write_text("import two\n")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    assert code.own_files(own) == frozenset(files)
    first = code.method_code(own, "small")
    for path in files:
        with edited(path):
            assert code.method_code(own, "small") != first, path
    with edited(tmp_path / "mine/other.py"):
        assert code.method_code(own, "small") == first
    shutil.copytree(tmp_path / "mine", tmp_path / "moved")
    assert code.method_code(tmp_path / "moved/two.py", "small") == first


def test_all_that_scores_come_from_is_in_the_digest_that_they_state(package):
    behind = code._closure(*planning._SOURCES["evaluate"])
    stated = code._closure(code._EVALUATION, ())
    config = {each for each in behind if each.is_relative_to(package / "config")}
    assert behind - stated - config == {package / "results/__init__.py"} & behind


def test_a_changed_template_is_changed_code_and_a_compiled_module_is_not(tmp_path, monkeypatch):
    room = tmp_path / "reporting/page"
    (room / "__pycache__").mkdir(parents=True)
    (room / "page.css").write_text("a {}")
    monkeypatch.setattr(code, "_PACKAGE", tmp_path)
    before = code.code_digest(("reporting",), ("reporting",))
    (room / "__pycache__/page.pyc").write_bytes(b"code")
    assert code.code_digest(("reporting",), ("reporting",)) == before
    (room / "page.css").write_text("b {}")
    assert code.code_digest(("reporting",), ("reporting",)) != before
