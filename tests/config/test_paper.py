"""Papers are data: what the shipped ones print, and what a broken folder is told."""

import math
import re
import shutil

import paper_study
import pytest
import tiny
import yaml
from config.test_hostile_params import CONTENT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from topdb.config import load
from topdb.config.papers import chosen_paper, measured, read_paper, read_papers
from topdb.errors import UserError
from topdb.evidence.cells import printed_difference, printed_values
from topdb.reporting.tables import places
from topdb.results.runs import Cell

HEADER = (tiny.PAPERS / "top_db_net/claims.csv").read_text().splitlines()[0]
GOOD = "one,A title,top-db-net,plain,baseline,plain,mAP,all,Table 1"


@pytest.fixture
def paper():
    return read_paper(tiny.PAPERS / "top_db_net")


def changed(tmp_path, change=dict, **files):
    """Read the main paper with its YAML changed by a function, and with some CSV files replaced."""
    root = tiny.change_paper(tmp_path, change)
    for name, text in files.items():
        (root / f"top_db_net/{name}.csv").write_text(text, encoding="utf-8")
    return read_paper(root / "top_db_net")


def claims_of(tmp_path, *rows, change=lambda content: content.pop("families")):
    return changed(tmp_path, change, claims="\n".join([HEADER, *rows]) + "\n")


def row(paper, table, name):
    (found,) = [each for each in paper.rows[table] if each.name == name]
    return found


def test_table_1_has_four_whole_rows(paper):
    rows = paper.rows["table1"]
    assert sorted(each.name for each in rows) == [
        "Baseline",
        "Top-DB-Net",
        "no-drop Top-DB-Net",
        "no-reg Top-DB-Net",
    ]
    assert all(len(each.values) == 8 and each.ranking == "plain" for each in rows)
    assert row(paper, "table1", "Top-DB-Net").values["market1501", "mAP"].value == 85.8
    assert row(paper, "table1", "Baseline").values["dukemtmc-reid", "R1"].value == 85.6


def test_table_2_has_ten_competitors_and_four_reranked_rows(paper):
    rows = paper.rows["table2"]
    assert [each.ranking for each in rows] == ["plain"] * 11 + ["rk"] * 4
    ours = row(paper, "table2", "Top-DB-Net (Ours)")
    assert ours.values["cuhk03-labeled", "R1"].value == 79.4
    bot = row(paper, "table2", "BoT (Luo 2019)").values
    assert ("cuhk03-labeled", "mAP") not in bot
    assert bot["market1501", "mAP"].place == 5
    assert bot["market1501", "R1"].place is None
    assert {key: each.value for key, each in ours.values.items()} == {
        key: each.value for key, each in row(paper, "table1", "Top-DB-Net").values.items()
    }


def test_the_papers_places_differ_from_the_recomputed_ones_in_two_cells_of_market1501_map(paper):
    assert places([88.2, 88.6, 88.2, 87.6]) == [2, 1, 2, 3]
    assert places([]) == []
    rows = [each for each in paper.rows["table2"] if each.ranking == "plain"]
    cells = [each.values["market1501", "mAP"] for each in rows]
    recomputed = places([cell.value for cell in cells])
    odd = {
        each.name: (cell.place, place)
        for each, cell, place in zip(rows, cells, recomputed, strict=True)
        if cell.place not in (None, place)
    }
    assert odd == {"BoT (Luo 2019)": (5, 6), "Top-DB-Net (Ours)": (6, 7)}


def test_no_printed_value_is_out_of_reach():
    for each in read_papers(load(tiny.ROOT / "params.yaml"), tiny.PAPERS):
        for rows in each.rows.values():
            for cell in (cell for one in rows for cell in one.values.values()):
                assert 60.0 < cell.value < 100.0
                assert math.isclose(cell.value * 10, round(cell.value * 10))


def test_remarks_are_told_for_the_tables_and_data_sets_that_show_them(paper):
    (repository,) = paper.remarks_on("table1", ["cuhk03-detected", "market1501"])
    assert "74.2 mAP where the paper prints 73.2" in repository
    everywhere = paper.remarks_on("table2", ["market1501"])
    assert "SONA, DenSem and Auto-ReID are printed only" in everywhere[1]
    both = paper.remarks_on("table2", ["cuhk03-detected", "cuhk03-labeled"])
    assert len(both) == 2 + len(everywhere)
    assert paper.remarks_on("table1", ["market1501"]) == []


def test_the_papers_claims_are_all_in_a_family_declared_beforehand(paper):
    assert {*paper.families()} == {claim.id for claim in paper.claims}
    paired = [each for each in paper.claims if each.better_method == each.worse_method]
    pairs = {(each.worse_method, each.quantity) for each in paper.claims if each not in paired}
    assert pairs == {(m, q) for m in ("baseline", "no-drop", "no-reg") for q in ("mAP", "R1")}
    assert [each.quantity for each in paired] == ["mAP", "R1"]


def test_five_seeds_can_decide_every_family(paper):
    alpha = load(tiny.ROOT / "params.yaml").statistics.alpha
    for claims in paper.file.families.values():
        paired = all(claim.startswith("rk-over-plain") for claim in claims)
        floor = 1 / 2**5 if paired else 1 / 252
        assert len(claims) * floor <= alpha


def test_the_printed_numbers_bear_out_the_claims(paper):
    printed = printed_values(paper)
    for claim in paper.claims:
        for dataset in paper_study.DATASETS:
            better = Cell(dataset, claim.better_method, claim.better_ranking)
            worse = Cell(dataset, claim.worse_method, claim.worse_ranking)
            assert printed_difference(printed, better, worse, claim.quantity) > 0


def test_claims_of_no_family_are_in_none(tmp_path):
    rows = [GOOD, GOOD.replace("one", "two"), GOOD.replace("one", "three")]
    found = claims_of(tmp_path, *rows, change=lambda each: each.update(families={"f": ["two"]}))
    assert found.families() == {"two": "f"}


def test_the_mini_profile_has_every_method_that_a_paper_prints():
    params = load(tiny.ROOT / "params.yaml")
    main, other = read_papers(params, tiny.PAPERS)
    methods = params.selected("mini").methods
    # The order of the main paper's methods is that of their looks.
    assert [each for each in methods if each in main.file.methods] == [*main.file.methods]
    assert {*other.file.methods} <= {*methods}


@pytest.mark.parametrize(
    ("claim", "sentence"),
    [
        (GOOD.replace("top-db-net", "topdbnet"), "'one': better_method: 'topdbnet' is not one of"),
        (GOOD.replace("top-db-net", "topdbnet"), "did you mean 'top-db-net'"),
        (GOOD.replace("baseline", "nothing"), "worse_method: 'nothing'"),
        (
            GOOD.replace("plain,mAP", "reranked,mAP"),
            "'worse_ranking' is 'reranked'.*'plain' or 'rk'",
        ),
        (GOOD.replace("mAP", "R3"), "quantity: 'R3' is not one of mAP"),
        (GOOD.replace(",all,", ",market1501 duke,"), "the dataset 'duke'.*dukemtmc-reid"),
        (GOOD.replace("A title", ""), "'one'.*'title' is ''"),
        (GOOD.replace("one,", ","), "'id' is ''"),
        (GOOD.replace("baseline", "top-db-net"), "compares a method with itself"),
        (GOOD.replace(",all,", ",,"), "has no data sets: name some, or 'all'"),
        (GOOD.replace(",all,", ",market1501 market1501,"), "the data set market1501 twice"),
        (GOOD.replace(",all,", ",all market1501,"), "'all' among its data sets"),
        ("one,A title", "other columns than the header"),
        (f"{GOOD}\n{GOOD}", "two claims 'one'"),
    ],
)
def test_a_claim_that_makes_no_sense_is_named(tmp_path, claim, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        claims_of(tmp_path, claim)
    assert "claims.csv" in str(caught.value)


def table2(key, value):
    return lambda content: content["tables"]["table2"].update({key: value})


def rows(**changes):
    return lambda content: content["tables"]["table1"]["blocks"][0]["rows"].update(changes)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.update(titel="x"), "unknown key 'titel' (did you mean 'title'?)"),
        (table2("rangkings", ["rk"]), "unknown key 'tables.table2.rangkings' (did you mean"),
        (table2("rankings", ["rr"]), "'tables.table2.rankings.0' is 'rr'"),
        (table2("measures", "some"), "'tables.table2.measures' is 'some'"),
        (lambda c: c.pop("citation"), "the key 'citation' is missing"),
        (rows(Baseline="baselin"), "'baselin' is not one of"),
        (rows(Baseline="osnet", Other="osnet"), "has two rows of 'osnet (plain)'"),
        (rows(Nobody=None), "table1.csv has no row 'Nobody'"),
        (lambda c: c["methods"].pop("mgn"), "tables.table2 has a row of mgn"),
        (lambda c: c["methods"].update(mgnn={}), "'mgnn' is not one of"),
        (lambda c: c["margins"].pop("default"), "margin of all other data sets under 'default'"),
        (lambda c: c["margins"].update(marke=1.0), "margins names the data set 'marke'"),
        (lambda c: c["margins"].update(default=0), "greater than 0"),
        (lambda c: c.update(families={"f": ["tow"]}), "the family 'f' has the claim 'tow'"),
        (lambda c: c["families"].update(again=["rk-over-plain-R1"]), "is listed twice"),
        (lambda c: c["families"].update(none=[]), "the family 'none' has no claim"),
        (
            lambda c: c.update(families={"f": ["rk-over-plain-map"]}),
            "the claim 'rk-over-plain-map' (did you mean 'rk-over-plain-mAP'?)",
        ),
        (
            lambda c: c.update(reference_method="mgm"),
            "reference_method: 'mgm' is not one of",
        ),
        (lambda c: c["tables"].update(page=c["tables"]["table1"]), "may not be called 'page'"),
        (lambda c: c.update(tables={}), "at least 1 item"),
        (
            table2("columns", {"datasets": ["market1501"], "metrics": ["mAPP"]}),
            "'mAPP' is not one of mAP",
        ),
        (
            table2("columns", {"datasets": ["market1501"], "metrics": ["mAP"]}),
            "table2.csv: unknown column 'market1501_R1'",
        ),
    ],
)
def test_a_paper_that_makes_no_sense_is_named(tmp_path, change, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)) as caught:
        changed(tmp_path, change)
    said = str(caught.value)
    assert str(tmp_path) in said
    assert "\n" not in said


def test_a_reference_method_that_no_profile_runs_is_named(tmp_path):
    root = tiny.change_paper(tmp_path, lambda content: content.update(reference_method="mgn"))
    said = "paper.yaml: reference_method names the method 'mgn'; name one of baseline, top-db-net"
    with pytest.raises(UserError, match=said):
        read_papers(tiny.params(tmp_path), root)


def test_a_data_set_that_is_misspelt_everywhere_in_a_paper_is_named_with_the_nearest(tmp_path):
    root = tiny.change_paper(tmp_path)
    for path in (root / "top_db_net").iterdir():
        path.write_text(path.read_text().replace("dukemtmc-reid", "dukemtmc-ried"))
    said = r"columns.datasets names the data set 'dukemtmc-ried' \(did you mean 'dukemtmc-reid'\?\)"
    with pytest.raises(UserError, match=said):
        read_papers(tiny.params(tmp_path), root)


PRINTED = """method,market1501_mAP,market1501_R1
no-drop Top-DB-Net,84.7,94.4
no-reg Top-DB-Net,83.9,93.9
Top-DB-Net,85.8,94.9
Baseline,85.2,94.1
"""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        *((PRINTED.replace("84.7", each), "no percentage") for each in ('"84,7"', "n/a", "847")),
        (PRINTED.replace("84.7", "-3"), "'-3' in column market1501_mAP is no percentage"),
        (PRINTED.replace("market1501_R1", "market_R1"), "unknown column 'market_R1'"),
        (PRINTED.replace("method,", "row,"), "lacks the column 'method'"),
        (PRINTED + "Another,1,2\n", "'Another', which is in no block"),
        (PRINTED + "Baseline,85.2,94.1\n", "the same row twice"),
        (PRINTED.replace("85.8", "85.9"), "has 85.8 in market1501_mAP where table1 has 85.9"),
        (PRINTED.replace(",94.1", ""), "the row 'Baseline' has other columns"),
    ],
)
def test_a_printed_table_that_makes_no_sense_is_named(tmp_path, text, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        changed(tmp_path, table1=text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("table,remark\ntable1,odd\n", "lacks the column 'dataset'"),
        ("table,dataset,remark\ntable3,all,odd\n", "the table 'table3' (did you mean 'table"),
        ("table,dataset,remark\ntable1,marke,odd\n", "the dataset 'marke'"),
    ],
)
def test_a_remark_on_nothing_is_named(tmp_path, text, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        changed(tmp_path, oddities=text)


def test_a_paper_that_is_not_there_is_named_with_the_nearest(tmp_path):
    params = tiny.params(tmp_path).model_copy(update={"papers": ("top_db_nt",)})
    with pytest.raises(UserError, match=r"no paper 'top_db_nt'.*did you mean 'top_db_net'"):
        read_papers(params, tiny.PAPERS)


def test_files_that_are_not_there_or_broken_are_named(tmp_path):
    with pytest.raises(UserError, match=r"paper.yaml does not exist.*--papers"):
        read_paper(tmp_path / "nothing")
    folder = tiny.change_paper(tmp_path) / "top_db_net"
    (folder / "table1.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"table1.csv is no readable CSV"):
        read_paper(folder)
    (folder / "table1.csv").unlink()
    with pytest.raises(UserError, match=r"table1.csv does not exist"):
        read_paper(folder)
    (folder / "paper.yaml").write_text("title: a\ntitle: b\n")
    with pytest.raises(UserError, match="key 'title' is given twice"):
        read_paper(folder)


def test_claims_and_remarks_may_be_left_out(tmp_path):
    folder = tiny.change_paper(tmp_path, lambda content: content.pop("families")) / "top_db_net"
    for name in ("claims", "oddities"):
        (folder / f"{name}.csv").unlink()
    found = read_paper(folder)
    assert (found.claims, found.remarks) == ((), ())
    assert {path.name for path in found.files} == {"paper.yaml", "table1.csv", "table2.csv"}


@pytest.mark.parametrize(
    ("methods", "first"),
    [
        (["top-db-net", "bot", "baseline"], ["top-db-net", "baseline"]),
        (["no-drop"], ["no-drop"]),
        (["bot", "mgn"], ["bot", "mgn"]),  # none of its own: all
    ],
)
def test_table_1_measures_its_own_methods_and_table_2_all(tmp_path, paper, methods, first):
    profile = tiny.params(tmp_path, {"methods": methods}).selected()
    assert measured(profile, [paper], paper, "table1").methods == tuple(first)
    assert measured(profile, [paper], paper, "table2").methods == profile.methods


def test_a_method_without_a_row_belongs_to_every_table(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/my_method.py").write_text("")
    methods = ["baseline", "my-method", "mgn", "bot", "top-db-net"]
    changes = {"method_folders": [str(tmp_path / "own")], "methods": methods}
    changes["papers"] = ["top_db_net", "bag_of_tricks"]
    params = tiny.params(tmp_path, changes)
    main, other = papers = read_papers(params, tiny.PAPERS)
    own = measured(params.selected(), papers, main, "table1").methods
    assert own == ("baseline", "my-method", "top-db-net")
    assert measured(params.selected(), papers, main, "table2").methods == tuple(methods)
    assert measured(params.selected(), papers, other, "tricks").methods == ("my-method", "bot")


def test_a_paper_is_chosen_by_its_name_and_the_first_is_the_main_one(tmp_path):
    papers = read_papers(load(tiny.ROOT / "params.yaml"), tiny.PAPERS)
    assert chosen_paper(papers).name == "top_db_net"
    assert chosen_paper(papers, "bag_of_tricks") is papers[1]
    with pytest.raises(UserError, match="no paper 'bag_of_trick'.*did you mean 'bag_of_tricks'"):
        chosen_paper(papers, "bag_of_trick")
    with pytest.raises(UserError, match="lists no papers"):
        chosen_paper([])
    with pytest.raises(UserError, match="a paper may not be called 'plots'"):
        read_papers(tiny.params(tmp_path, {"papers": ["top_db_net", "plots"]}), tiny.PAPERS)


def test_keys_that_a_paper_has_by_now_name_their_new_place(tmp_path):
    for key, value, new in (("delta", {"default": 1.0}, "margins"), ("families", {}, "families")):
        path = tiny.write_params(tmp_path, {f"statistics.{key}": value})
        with pytest.raises(UserError, match=rf"{key} .* {new} in papers/<paper>/paper.yaml"):
            load(path)


def test_papers_and_metrics_are_listed_once_and_metrics_are_known(tmp_path):
    for changes, sentence in (
        ({"papers": ["a", "a"]}, "name each once"),
        ({"metrics": ["mAP", "mAP"]}, "name each once"),
        ({"metrics": ["mAPP"]}, "'mAPP' is not one of .*did you mean 'mAP'"),
        ({"metrics": []}, "at least 1 item"),
        ({"papers": ["../x"]}, "may hold only letters"),
    ):
        with pytest.raises(UserError, match=sentence):
            tiny.params(tmp_path, changes)


def test_yaml_of_a_paper_is_the_safe_subset(tmp_path):
    folder = tiny.change_paper(tmp_path) / "top_db_net"
    text = yaml.safe_dump({"title": "x"}) + "citation: !!python/object/apply:os.getcwd []\n"
    (folder / "paper.yaml").write_text(text)
    with pytest.raises(UserError, match="not valid YAML"):
        read_paper(folder)


QUIET = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@QUIET
@given(content=st.binary(max_size=60) | CONTENT.map(lambda each: yaml.dump(each).encode()))
def test_whatever_a_papers_file_holds_it_is_read_or_told_in_one_sentence(tmp_path, content):
    folder = tmp_path / "papers/top_db_net"
    if not folder.is_dir():
        tiny.change_paper(tmp_path)
    (folder / "paper.yaml").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_paper(folder)
    assert "\n" not in str(caught.value)


@QUIET
@given(
    name=st.sampled_from(["table1", "table2", "claims", "oddities"]),
    key=st.sampled_from(["method", "id", "table", "market1501_mAP", "quantity"]),
    text=st.binary(max_size=40) | st.text(max_size=40).map(lambda each: each.encode("utf-8")),
)
def test_whatever_a_papers_csv_holds_it_is_read_or_told_in_one_sentence(tmp_path, name, key, text):
    folder = tmp_path / "papers/top_db_net"
    if folder.is_dir():
        shutil.rmtree(folder.parent)
    tiny.change_paper(tmp_path)
    path = folder / f"{name}.csv"
    before = path.read_bytes()
    for content in (text, before + text, before.replace(key.encode(), text, 1)):
        path.write_bytes(content)
        try:
            read_paper(folder)
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017
