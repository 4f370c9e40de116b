"""What every file dropped into topdb/reporting/figures has to keep."""

import subprocess
import sys

import pytest
import tiny
import yaml
from figure_grid import (
    METHODS,
    evidence,
    picture,
    write_results,
    write_snapshots_of,
)
from matplotlib import rc_context

from topdb.errors import UserError
from topdb.planning import _figures
from topdb.reporting.figures import draw_figure, figure_names, write_figure, write_figures
from topdb.reporting.looks import KNOWN

FIGURES = figure_names()
every = pytest.mark.parametrize("name", FIGURES)
RUN_AND_LIST_MODULES = """
from topdb.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code
heavy = {"torch", "mlflow", "matplotlib.pyplot", "pandas"}
print(*sorted(heavy & set(sys.modules)))
"""
A_PAGE = 9.8
"""Inches that a figure may be tall to stand on a page of its own (IEEE: 9.4 and its caption)."""
LONG = "A data set of a name that somebody made longer than it had to be"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A grid without gaps, of real images."""
    folder = tmp_path_factory.mktemp("whole")
    write_results(folder / "results")
    write_snapshots_of(folder / "results")
    return evidence(folder)


def test_the_figures_of_the_plan_are_there():
    assert set(FIGURES) >= {"figure2", "figure3", "differences", "seeds", "cmc", "training"}
    assert set(FIGURES) >= {"variance", "published"}


def test_the_workflow_learns_of_every_figure_from_its_file(whole):
    told = _figures(whole.profile)
    assert list(told) == FIGURES
    for name, declared in told.items():
        assert declared["needs"] in ("comparisons", "scores", "histories", "snapshots")
        assert len(declared["files"]) == 2
        assert (tiny.ROOT / f"workflows/report/{name}.rst").is_file()


def test_a_profile_that_looks_at_no_training_has_no_figures_of_it(tmp_path):
    params = tiny.params(tmp_path, {"methods": ["bot", "osnet"], "reference_method": "bot"})
    assert {"figure2", "figure3"} & {*_figures(params.selected("tiny"))} == set()


@every
def test_equal_data_give_equal_bytes_in_whatever_order_files_are_named(name, whole, tmp_path):
    first, second = (
        [tmp_path / turn / f"figure{suffix}" for suffix in (".svg", ".png", ".pdf")]
        for turn in ("first", "second")
    )
    draw_figure(name, whole, first)
    draw_figure(name, whole, [*reversed(second)])
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert b"<svg" in first[0].read_bytes()[:600]
    assert list(tmp_path.glob("*/.*partial")) == []


@every
@pytest.mark.parametrize("size", ["whole", "as_large_as_the_papers"])
def test_every_word_lies_inside_the_figure_and_can_be_read(name, size, request):
    seen = picture(name, request.getfixturevalue(size))
    assert seen.words
    assert seen.height < 96 * A_PAGE
    assert seen.width < 730
    for word in seen.words:
        assert word.left >= -1, word
        assert word.top >= -1, word
        assert word.right <= seen.width + 1, word
        assert word.bottom <= seen.height + 1, word
        assert word.size >= 8, word


@pytest.fixture(scope="module")
def as_large_as_the_papers(tmp_path_factory):
    """The paper's data sets, methods and competitors, by their full titles."""
    folder = tmp_path_factory.mktemp("large")
    methods = list(KNOWN)
    titles = {
        "market1501": "Market-1501",
        "dukemtmc-reid": "DukeMTMC-reID",
        "cuhk03-labeled": "CUHK03 labeled",
        "cuhk03-detected": "CUHK03 detected",
    }
    for dataset in titles:
        write_results(folder / "results", dataset, methods=methods)
    write_snapshots_of(folder / "results", epochs=(1, 2, 4), queries=4)
    datasets = {
        name: {"title": title, "layout": "market1501", "root": name}
        for name, title in titles.items()
    }
    return evidence(folder, {"datasets": datasets, "methods": methods})


@every
def test_no_word_covers_another(name, as_large_as_the_papers):
    words = [word for word in picture(name, as_large_as_the_papers).words if word.level]
    for number, word in enumerate(words):
        assert [other for other in words[number + 1 :] if word.covers(other)] == [], word


@every
def test_only_drawn_data_are_called_so(name, whole, tmp_path):
    assert "endered data" not in picture(name, whole).written
    write_results(tmp_path / "results")
    write_snapshots_of(tmp_path / "results")
    drawn = evidence(tmp_path, {"datasets.market1501.render": tiny.RENDER})
    assert (
        "Rendered data: drawn pedestrians, not comparable with the paper."
        in picture(name, drawn).written
    )


@every
def test_without_any_run_a_figure_says_so(name, tmp_path):
    said = picture(name, evidence(tmp_path)).written
    if name == "published":
        assert "incomplete" in said
    else:
        assert any(words in said for words in ("yet.", "Nothing is compared"))


@every
def test_missing_runs_are_left_out_and_counted(name, tmp_path):
    results = tmp_path / "results"
    write_results(results, seeds=(2,))
    write_snapshots_of(results, methods=METHODS[1:])
    said = picture(name, evidence(tmp_path)).written
    if name in ("figure2", "figure3"):
        assert "Baseline\n" not in said
    else:
        assert "Incomplete: 1 of 4 runs are missing." in said


@every
def test_a_title_and_a_method_of_ones_own_are_drawn(name, tmp_path):
    write_results(tmp_path / "results")
    write_snapshots_of(tmp_path / "results")
    changes = {"datasets.market1501.title": LONG, "methods": ["baseline", "no-reg", "top-db-net"]}
    seen = picture(name, evidence(tmp_path, changes))
    assert seen.words
    assert seen.width < 730


def test_drawing_needs_neither_torch_nor_a_screen(whole, tmp_path):
    command = ["figure", "figure3", "--out", str(tmp_path / "f.png"), "--results"]
    command += [str(whole.results), "--params", str(whole.results.parent / "params.yaml")]
    program = f"import sys\nsys.argv = ['topdb', *{command}]\n" + RUN_AND_LIST_MODULES
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


def test_an_unknown_figure_and_an_unknown_format_are_named(whole, tmp_path, monkeypatch, capsys):
    with pytest.raises(UserError, match=r"no figure 'sedes' \(did you mean 'seeds'\?\): name one"):
        draw_figure("sedes", whole, [tmp_path / "x.png"])
    with pytest.raises(UserError, match=r"nowhere does not exist: .*--results"):
        write_figure("cmc", whole.params, "tiny", tmp_path / "nowhere", [], [tmp_path / "x.png"])
    for name in ("cmc", "figure2"):
        with pytest.raises(UserError, match=r"x.jpg: name a file that ends in .png, .svg or .pdf"):
            draw_figure(name, whole, [tmp_path / "x.png", tmp_path / "x.jpg"])
    assert list(tmp_path.iterdir()) == []
    params = whole.results.parent / "params.yaml"
    command = ["figure", "differences", "--out", tmp_path / "x.png", "--params", params]
    command += ["--results", whole.results]
    assert tiny.topdb(monkeypatch, *command) == 2
    assert "this figure needs --comparisons" in capsys.readouterr().err


def test_all_figures_stand_where_the_workflow_and_dvc_expect_them(whole, tmp_path):
    write_figures(whole, tmp_path / "reports")
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    told = _figures(whole.profile).values()
    assert files == {f"reports/{file}" for each in told for file in each["files"]}
    stages = yaml.safe_load((tiny.ROOT / "dvc.yaml").read_text())["stages"]["benchmark"]
    versioned = {each for each in stages["outs"] + stages["plots"] if isinstance(each, str)}
    assert versioned >= {path for path in files if path.endswith((".pdf", ".svg"))}


def test_settings_of_the_users_own_change_nothing(whole, tmp_path):
    draw_figure("figure3", whole, [tmp_path / "plain.png"])
    with rc_context({"font.size": 20, "axes.facecolor": "red", "lines.linewidth": 9}):
        draw_figure("figure3", whole, [tmp_path / "loud.png"])
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "loud.png").read_bytes()
