import pytest
import tiny

from topdb.config.papers import read_papers
from topdb.reporting.titles import titles_of


@pytest.fixture
def titles(tmp_path):
    params = tiny.params(tmp_path)
    return titles_of(params, "tiny", read_papers(params, tiny.PAPERS))


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


def test_a_paper_calls_methods_in_its_own_words_before_others(tmp_path):
    def rename(content):
        content["methods"]["bot"] = {"authors": "Luo"}

    root = tiny.change_paper(tmp_path, rename)
    params = tiny.params(tmp_path, {"papers": ["top_db_net", "bag_of_tricks"]})
    papers = read_papers(params, root)
    first, second = (titles_of(params, "tiny", papers, paper) for paper in papers)
    assert (second.of("bot"), second.of("mgn")) == ("BoT", "MGN")
    # Without a title in the paper, its own file has one, and the paper's authors stay.
    assert first.cited("bot") == f"{first.of('bot')} (Luo)"
    assert second.cited("bot") == "BoT"


def named(folder, **files):
    """The titles of methods in a folder of one's own, which has these files."""
    own = folder / "own"
    own.mkdir()
    for name, text in files.items():
        (own / f"{name}.py").write_text(text)
    methods = ["baseline", *(name.replace("_", "-") for name in files)]
    params = tiny.params(folder, {"method_folders": [str(own)], "methods": methods})
    return titles_of(params, "tiny", read_papers(params, tiny.PAPERS))


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
