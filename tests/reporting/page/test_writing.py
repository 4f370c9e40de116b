import re
import sys

import pytest
import tiny
from page_project import HOSTILE

from topdb.errors import UserError

LIMIT = 2_000_000
"""Bytes of so small a study: the library for the plots, and little else."""


def test_equal_input_gives_equal_bytes(real):
    first = real.page("first.html").read_bytes()
    assert real.page("second.html").read_bytes() == first
    assert len(first) < LIMIT


def test_the_answer_comes_first(real):
    text = real.page().read_text(encoding="utf-8")
    assert re.search(
        r'class="answer"><span>\d+ of 4 numbers reproduces?[;.].*claims? holds?; none is refuted',
        text,
    )
    # The two re-ranked cells have no verdict: k1 and k2 are not the paper's.
    told = text.partition('class="answer"')[2][:1500]
    assert "2 printed cells have no verdict: the parameters of re-ranking" in told
    assert "Rendered data" not in text
    assert text.index('class="answer"') < text.index("<table")


def test_drawn_data_have_no_answer_and_fold_their_claims(rendered):
    text = rendered.page().read_text(encoding="utf-8")
    said = "<span>The benchmark works.</span> <span>It has no answer about the paper yet.</span>"
    assert said in text
    assert "make all profile=" not in text  # no profile here has real data
    folded = text.partition("What the machinery says of drawn pedestrians: ")
    assert folded[0].rstrip().endswith("<summary>")
    assert "REPRODUCED" not in text.replace('"REPRODUCED"', "")
    assert 'class="mosaic"' not in text


def test_no_address_but_the_pages_own_names(real):
    text = real.page().read_text(encoding="utf-8")
    own = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    own = re.sub(r'<script type="text/plain".*?</script>', "", own, flags=re.DOTALL)
    own = re.sub(r'id="images">.*?</script>', "", own, flags=re.DOTALL)
    assert "//" not in re.sub(r"data:[a-z/]+;base64,[\w+/=]+", "", own)
    for attribute in re.findall(r'\b(?:src|href)="([^"]*)"', own):
        assert attribute.startswith(("data:", "#", "x onerror")), attribute


def test_scripts_hold_no_end_but_their_own(real):
    text = real.page().read_text(encoding="utf-8")
    assert text.count("<script") == text.count("</script>") == 5


def test_a_page_needs_no_examples_and_no_figures(real):
    text = real.page("bare.html", examples=None).read_text(encoding="utf-8")
    assert 'id="lists"' not in text
    assert 'id="figures"' not in text
    assert 'id="recipe"' in text


def test_missing_runs_leave_gaps(real, tmp_path):
    from topdb.results.comparisons import write_comparisons

    params = tiny.params(tmp_path, {**real.changes, "seeds": [1, 2, 3, 4]})
    comparisons = tmp_path / "gaps.parquet"
    write_comparisons(tiny.compared(params, real.results, root=real.papers), comparisons)
    text = real.page("gaps.html", params=params, comparisons=[comparisons]).read_text()
    assert "INCOMPLETE" in text
    assert "3 of 4 seeds" in text
    assert "6 of 8" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"examples": "nowhere.parquet"}, "nowhere.parquet cannot be read.*topdb examples"),
        ({"figures": ["nowhere.png"]}, "nowhere.png does not exist.*--figure"),
        ({"figures": ["params.yaml"]}, "params.yaml is no readable image"),
        ({"comparisons": []}, "page needs --comparisons"),
    ],
)
def test_a_missing_file_is_named(real, changes, said):
    paths = {
        key: [real.folder / each for each in value]
        if isinstance(value, list)
        else value and real.folder / value
        for key, value in changes.items()
    }
    with pytest.raises(UserError, match=said):
        real.page("never.html", **paths)
    assert not (real.folder / "never.html").exists()


def test_the_command_imports_no_torch(real):
    code = (
        "import sys\nfrom topdb import cli\n"
        "sys.argv = ['topdb', 'report', 'page', '--params', 'params.yaml', '--results', 'results',"
        " '--comparisons', 'table2.parquet', '--examples', 'examples.parquet',"
        " '--papers', 'papers', '--out', 'by-command.html']\n"
        "try:\n    cli.main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert not {'torch', 'matplotlib', 'mlflow'} & sys.modules.keys()\n"
    )
    done = tiny.python(real.folder, "-c", code, PYTHONPATH=":".join(sys.path))
    assert done.returncode == 0, done.stderr
    assert (real.folder / "by-command.html").stat().st_size > 500_000


def test_a_hostile_name_stands_where_it_is_shown_and_nowhere_as_markup(real):
    text = real.page().read_text(encoding="utf-8")
    assert HOSTILE not in text
    assert "&lt;/script&gt;&lt;img src=x" in text
    assert "{{ 7 * 7 }}" in text
