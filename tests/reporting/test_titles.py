import pytest
import tiny

from topdb.reporting.titles import Titles, read_titles
from topdb.results.runs import MethodRow

PUBLISHED = tiny.ROOT / "reports/published"


@pytest.fixture
def titles(tmp_path):
    return read_titles(tiny.params(tmp_path), "tiny", PUBLISHED)


@pytest.mark.parametrize(
    ("method", "of", "brief", "cited", "reranked"),
    [
        ("baseline", "Baseline", "Baseline", "Baseline", "Baseline+RK"),
        ("no-drop", "no-drop Top-DB-Net", "no-drop", "no-drop Top-DB-Net", "no-drop Top-DB-Net+RK"),
        ("top-db-net", "Top-DB-Net", "Top-DB-Net", "Top-DB-Net", "Top-DB-Net+RK"),
        ("bot", "BoT", "BoT", "BoT (Luo 2019)", "BoT+RK (Luo 2019)"),
        ("mgn", "MGN", "MGN", "MGN (Wang 2018)", "MGN+RK (Wang 2018)"),
        ("abd-net", "ABDnet", "ABDnet", "ABDnet (Chen 2019)", "ABDnet+RK (Chen 2019)"),
    ],
)
def test_a_printed_method_is_called_as_it_is_printed(titles, method, of, brief, cited, reranked):
    assert titles.of(method) == of
    assert titles.of(method, "rk") == f"{of}+RK"
    assert titles.brief(method) == brief
    assert titles.cited(method) == cited
    assert titles.cited(method, "rk") == reranked


def test_a_row_of_re_ranking_alone_names_its_method(tmp_path):
    titles = Titles((MethodRow("table2", "X+RK (Y 2020)", "mgn", "rk"),))
    assert (titles.of("mgn"), titles.of("mgn", "rk")) == ("X", "X+RK")
    assert titles.cited("mgn", "rk") == "X+RK (Y 2020)"


def named(folder, **files):
    """The titles of methods in a folder of one's own, which has these files."""
    own = folder / "own"
    own.mkdir()
    for name, text in files.items():
        (own / f"{name}.py").write_text(text)
    methods = ["baseline", *(name.replace("_", "-") for name in files)]
    params = tiny.params(folder, {"method_folders": [str(own)], "methods": methods})
    return read_titles(params, "tiny", PUBLISHED)


def test_a_method_without_a_row_is_called_as_its_file_says_and_never_run(tmp_path):
    titles = named(
        tmp_path,
        first='raise SystemExit\nclass A:\n    title = "First (mine)"\n',
        second='class A:\n    title: ClassVar[str] = "Second"\n',
        third='class A:\n    title = "a" + "b"\n',
        lines='class A:\n    title = " Two\\nlines "\n',
        blank='class A:\n    title = " "\n',
        my_fourth="class A(\n",
    )
    names = ["first", "second", "third", "lines", "blank", "my-fourth", "nobody"]
    assert [titles.cited(each) for each in names] == [
        "First (mine)",
        "Second",
        "third",
        "Two lines",
        *names[4:],
    ]
    assert titles.cited("second", "rk") == "Second+RK"


def test_no_two_methods_are_called_the_same(tmp_path):
    titles = named(
        tmp_path,
        one='class A:\n    title = "Baseline"\n',
        two='class A:\n    title = "Ours"\n',
        three='class A:\n    title = "Ours"\n',
    )
    found = [titles.of(each) for each in ("baseline", "one", "two", "three")]
    assert found == ["Baseline", "Baseline (one)", "Ours (two)", "Ours (three)"]
