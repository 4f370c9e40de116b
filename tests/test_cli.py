import json
import shutil
import subprocess
import sys

import pytest
import rights
import tiny
import typer

from topdb import __version__, cli
from topdb.commands import commands

NAMES = [*commands(())]
COMMANDS = typer.main.get_command(cli.app_with(NAMES)).commands


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with parameters, published numbers and one drawn data set, not rendered yet."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny.PAPERS, tmp_path / "papers")
    tiny.write_params(tmp_path, {"datasets.market1501.render": tiny.RENDER, "rankings": ["plain"]})
    return tmp_path


def mistake(monkeypatch, capfd, *arguments) -> str:
    """Run a command that a user got wrong; return its one sentence."""
    assert tiny.topdb(monkeypatch, *arguments) == 2
    said = capfd.readouterr().err
    assert said.startswith("topdb: ")
    assert said.endswith((".\n", ")\n"))
    assert said.count("\n") == 1
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_its_options(name, monkeypatch, capfd):
    assert tiny.topdb(monkeypatch, name, "--help") == 0
    shown = capfd.readouterr().out
    assert f"topdb {name} [OPTIONS]" in shown
    assert COMMANDS[name].help.split(",")[0].split(":")[0][:30] in shown
    explained = [each for each in COMMANDS[name].params if each.name != "help"]
    assert explained
    for parameter in explained:
        assert parameter.help, f"{name}: {parameter.name}"


def test_the_commands_are_those_that_the_workflow_and_the_guide_name():
    assert set(COMMANDS) == {
        "plan",
        "recipes",
        "check-method",
        "render",
        "index",
        "pretrain",
        "train",
        "import-weights",
        "extract",
        "cross",
        "evaluate",
        "estimate",
        "diff",
        "doctor",
        "compare",
        "page",
        "judge",
        "examples",
        "figure",
        "report",
        "reference",
        "verdict",
        "bundle",
        "add",
        "verify",
        "check",
        "track",
    }


def test_version_and_help(monkeypatch, capfd):
    assert tiny.topdb(monkeypatch, "--version") == 0
    assert capfd.readouterr().out == f"topdb {__version__}\n"
    assert tiny.topdb(monkeypatch, "--help") == 0
    shown = capfd.readouterr().out
    assert all(name in shown for name in COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["plann"],
        ["plan", "--parms", "x"],
        ["evaluate"],
        ["evaluate", "features.npz", "--out", "x", "--k1", "many"],
        ["train", "market1501", "baseline", "-1"],
        ["plan", "surplus"],
    ],
    ids=" ".join,
)
def test_a_mistyped_command_line_exits_with_2(arguments, here, monkeypatch, capfd):
    assert tiny.topdb(monkeypatch, *arguments) == 2
    said = capfd.readouterr().err
    assert "Usage: " in said
    assert "Traceback" not in said


TRAIN = ["--index", "index.parquet", "--pixels", "pixels.npy", "--out", "run"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["plan", "--params", "absent.yaml"], "absent.yaml does not exist"),
        (["plan", "--profile", "tinny"], "did you mean 'tiny'"),
        (["render", "market"], "no data set 'market'"),
        (["index", "market1501", "index.parquet"], "index.parquet"),
        (["train", "market1502", "baseline", "1", *TRAIN], "did you mean 'market1501'"),
        (["train", "market1501", "basline", "1", *TRAIN], "did you mean 'baseline'"),
        (["train", "market1501", "baseline", "1", *TRAIN], "index.parquet does not exist"),
        (["train", "market1501", "baseline", "1", "2", *TRAIN], "--out is given 1 times for 2"),
        (
            ["train", "market1501", "baseline", "1", *TRAIN, "--log", "a", "--log", "b"],
            "--log is given 2 times for 1 seeds",
        ),
        (["pretrain", "small", *TRAIN], "does not pretrain"),
        (["pretrain", "smal", *TRAIN], "no backbone 'smal' (did you mean 'small'?)"),
        (["check-method", "absent.py"], "absent.py does not exist"),
        (["recipes", "--profile", "tinny"], "did you mean 'tiny'"),
        (["evaluate", "a.npz", "b.npz", "--out", "x"], "--out is given 1 times for 2 files"),
        (["evaluate", "absent.npz", "--out", "x"], "absent.npz does not exist"),
        (["evaluate", "absent.npz", "--out", "x", "--ranking", "best"], "name plain or rk"),
        (["evaluate", "absent.npz", "--out", "x", "--lambda", "2"], "original_weight"),
        (["evaluate", "absent.npz", "--out", "x", "--ap-rule", "mean"], "ap_rule"),
        (["report", "metrics", "--out", "x", "--results", "absent"], "absent does not exist"),
        (["judge", "--out", "x", "--results", "absent"], "absent does not exist"),
        (["compare", "a.npz", "--out", "x"], "name two models or more"),
        (["compare", "a.npz", "b.npz", "--out", "x"], "a.npz does not exist"),
        (
            ["compare", "a", "b", "--out", "x", "--quantity", "map"],
            "name mAP, R1, R5, R10, R20 or mINP",
        ),
        (["compare", "a", "b", "--out", "x", "--metric", "cosin"], "metric"),
        (["track", "--results", "absent"], "absent does not exist"),
        (["verdict", "absent"], "absent does not exist"),
        (["report", "table9", "--out", "x"], "no report 'table9'"),
        (["report", "table1", "--out", "x"], "needs --comparisons"),
        (
            ["report", "table1", "--out", "x", "--comparisons", "absent.parquet"],
            "absent.parquet cannot be read",
        ),
        (["reference", "--out", "x"], "needs 10 seeds"),
        (["check"], "reference.json does not exist"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_users_mistake_is_one_sentence_and_exit_status_2(
    arguments, named, here, monkeypatch, capfd
):
    if arguments[0] == "index":
        arguments = [*arguments[:2], "--index", arguments[2], "--pixels", "pixels.npy"]
        named = "market1501 is missing"
    assert named in mistake(monkeypatch, capfd, *arguments)
    assert not (here / "x").exists()


def test_a_real_data_set_is_not_drawn_over(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    tiny.write_params(tmp_path)
    assert "is a real one" in mistake(monkeypatch, capfd, "render", "market1501")
    assert not (tmp_path / "data").exists()


def test_an_output_below_a_file_is_named(here, monkeypatch, capfd):
    (here / "a-file").write_text("kept")
    said = mistake(monkeypatch, capfd, "judge", "--out", "a-file/comparisons.parquet")
    assert "a-file" in said
    assert (here / "a-file").read_text() == "kept"


def test_an_output_that_is_a_folder_is_named(here, monkeypatch, capfd):
    (here / "plots/seeds.csv").mkdir(parents=True)
    said = mistake(monkeypatch, capfd, "report", "plots", "--out", "plots")
    assert "plots/seeds.csv" in said
    assert not list(here.glob("plots/.*partial"))


def test_a_full_disk_keeps_the_old_file(here):
    (here / "plots").mkdir()
    (here / "plots/seeds.csv").write_text("old")
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8)); "
        "from topdb.cli import main; main()"
    )
    done = tiny.python(here, "-c", limited, "report", "plots", "--out", "plots")
    assert done.returncode == 2
    assert (
        done.stderr
        == "topdb: plots/seeds.csv: File too large; mend it and run the same command again.\n"
    )
    assert (here / "plots/seeds.csv").read_text() == "old"
    assert not list(here.glob("plots/.*partial"))


def test_check_exits_with_1_exactly_when_a_cell_drifted(here, monkeypatch, capfd):
    for method in ("baseline", "top-db-net"):
        for seed in (1, 2):
            tiny.write_queries(here / f"results/tiny/market1501/{method}/seed-{seed}", [0.5, 0.7])
    cell = {"mAP": {"mean": 60.0, "sd": 1.0, "n": 10}}
    cells = {f"market1501/{method}/plain": cell for method in ("baseline", "top-db-net")}
    (here / "reference.json").write_text(json.dumps({"cells": cells}))
    assert tiny.topdb(monkeypatch, "check") == 0
    assert "DRIFTED" not in capfd.readouterr().out
    cells["market1501/baseline/plain"] = {"mAP": {**cell["mAP"], "mean": 90.0}}
    (here / "reference.json").write_text(json.dumps({"cells": cells}))
    assert tiny.topdb(monkeypatch, "check") == 1
    assert "DRIFTED  market1501/baseline/plain" in capfd.readouterr().out


MANY_COMMANDS = """
import shlex, sys
from topdb.cli import main
for line in open("lines").read().splitlines():
    sys.argv = ["topdb", *shlex.split(line)]
    try:
        main()
    except SystemExit as status:
        assert status.code == 0, (line, status.code)
    heavy = {"torch", "torchvision", "mlflow"} & set(sys.modules)
    if line.startswith("plan"):
        heavy |= {"pandas"} & set(sys.modules)
    assert not heavy, (line, heavy)
"""


def test_commands_that_need_no_network_import_no_torch(here):
    tiny.write_features(here / "features.npz")
    for method in ("baseline", "top-db-net"):
        for seed in (1, 2):
            folder = tiny.write_run(here / "results/tiny", "market1501", method, seed)
            tiny.write_queries(folder, [0.5, 0.7])
    lines = [
        "plan",
        "evaluate features.npz --out scores --ranking plain --ranking rk --k1 3 --k2 2",
        "render market1501",
        "index market1501 --index index.parquet --pixels pixels.npy",
        "judge --out comparisons.parquet",
        "report table1 --out t1.md --comparisons comparisons.parquet",
        "report table2 --out t2.md --out t2.tex --out t2.csv --comparisons comparisons.parquet",
        "report verdict --out verdict.json --comparisons comparisons.parquet",
        "bundle --out bundle.tar.gz",
        "verdict results/tiny --out of-folder",
        "verdict bundle.tar.gz --out of-bundle",
        "report metrics --out metrics",
        "report plots --out plots",
        "examples --out examples.parquet --results none-yet",
        "report page --out page.html --comparisons comparisons.parquet",
        "check",
    ]
    cells = {"market1501/baseline/plain": {"mAP": {"mean": 60.0, "sd": 1.0, "n": 10}}}
    (here / "reference.json").write_text(json.dumps({"cells": cells}))
    (here / "none-yet").mkdir()
    (here / "lines").write_text("\n".join(lines))
    done = tiny.python(here, "-c", MANY_COMMANDS)
    assert done.returncode == 0, done.stderr[-1500:]
    for name in ("index.parquet", "scores/rk/metrics.json", "t2.md", "of-bundle/table2.tex"):
        assert (here / name).is_file()


def test_a_plan_is_json_on_standard_output(here, monkeypatch, capfd):
    assert tiny.topdb(monkeypatch, "plan") == 0
    assert json.loads(capfd.readouterr().out)["methods"] == ["baseline", "top-db-net"]


def test_a_missing_extra_is_one_sentence():
    package, command, extra = "torch", ["train", "--help"], "train"
    script = (
        "import sys; from topdb.cli import main; "
        f"sys.modules[{package!r}] = None; sys.argv = ['topdb', *{command!r}]; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"topdb: this command needs {package}, which is not installed: pip install "
        f"'topdb[{extra}]'.\n"
    )


NAMELESS = """
import pwd

def none(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")

pwd.getpwuid = none
from topdb.cli import main
main()
"""


@pytest.mark.parametrize("home", [None, "/nonexistent", "locked"])
def test_a_user_without_a_name_and_a_home_of_use_is_served(here, home):
    """As under a bare number in a container, where the system knows neither."""
    (here / "locked").mkdir(mode=0o555)
    nobody = {"USER": None, "LOGNAME": None, "XDG_CACHE_HOME": None}
    where = str(here / home) if home == "locked" else home
    done = rights.python(here, NAMELESS, "plan", HOME=where, **nobody)
    assert (done.returncode, done.stderr) == (0, "")
