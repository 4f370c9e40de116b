import json
import shutil

import paper_study
import pyarrow.parquet as pq
import pytest
import tiny
import yaml

from topdb.config.papers import read_papers
from topdb.errors import UserError
from topdb.files import digest
from topdb.reporting.figures import figure_names, files_of
from topdb.reporting.recomputing import recompute
from topdb.results.bundle import write_bundle
from topdb.results.comparisons import read_comparisons
from topdb.results.runs import Run
from topdb.statistics import CellVerdict

WITHOUT_TORCH = """
import sys
from topdb.cli import main
sys.argv = ["topdb", "verdict", "bundle.tar.gz", "--out", "again"]
main()
assert not {"torch", "torchvision", "mlflow", "numba"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    missing = tuple(Run("market1501", "no-reg", seed) for seed in (4, 5))
    params, results = paper_study.write_study(folder, missing)
    recompute(
        params, "tiny", results, read_papers(params, tiny.papers_beside(results)), folder / "out"
    )
    return folder, params, results


def test_stored_runs_give_all_tables_and_verdicts_again(study):
    folder, params, results = study
    written = {
        path.relative_to(folder / "out").as_posix() for path in (folder / "out").rglob("*.*")
    }
    profile = params.selected()
    cells = [f"{dataset}/{method}" for dataset in profile.datasets for method in profile.methods]
    figures = [path for name in figure_names() for path in files_of(name, folder)]
    assert written == {
        "comparisons/table1.parquet",
        "comparisons/table2.parquet",
        *(f"table{number}.{suffix}" for number in (1, 2) for suffix in ("md", "csv", "tex")),
        "verdict.json",
        *(f"metrics/{ranking}/{cell}.json" for ranking in ("plain", "rk") for cell in cells),
        "plots/seeds.csv",
        "plots/training.csv",
        "index.html",
        *(path.relative_to(folder).as_posix() for path in figures),
    }
    for table in ("table1", "table2"):
        found = read_comparisons(folder / f"out/comparisons/{table}.parquet", "tiny")
        assert repr(found) == repr(tiny.compared(params, results, table))


def test_the_summary_for_machines_counts_every_verdict(study):
    folder, _, _ = study
    summary = json.loads((folder / "out/verdict.json").read_text())
    cells = summary["cells"]
    assert cells["all"] == 40 == sum(cells[each] for each in CellVerdict)
    chances = [each["false_alarm"] or 0.0 for each in summary["cell_verdicts"]]
    assert cells["expected_by_chance"] == round(sum(chances), 3) > 0
    assert cells["REPRODUCED"] == 8
    assert cells["INCOMPLETE"] == 2
    assert summary["claims"]["all"] == 8
    assert summary["answer"].startswith("8 of 40 cells reproduce (10 EXCEEDS, 10 BELOW,")
    assert not summary["rendered_data"]
    assert len(summary["cell_verdicts"]) == 40
    assert [len(claim["parts"]) for claim in summary["claim_verdicts"]] == [4] * 8


def packed(study, path):
    folder, params, results = study
    papers = read_papers(params, tiny.papers_beside(results))
    return write_bundle(folder / "params.yaml", params, "tiny", results, papers, path)


def test_a_bundle_gives_the_same_bytes_without_torch_or_images(study, tmp_path):
    folder, _, _ = study
    finished = packed(study, tmp_path / "bundle.tar.gz")
    assert finished == (78, 80)
    done = tiny.python(tmp_path, "-c", WITHOUT_TORCH)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("8 of 40 cells reproduce (")
    for path in (folder / "out").rglob("*.*"):
        assert (tmp_path / "again" / path.relative_to(folder / "out")).read_bytes() == (
            path.read_bytes()
        )


def test_the_command_takes_an_unpacked_bundle_and_refuses_another_profile(
    study, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    packed(study, tmp_path / "b")
    tiny.unpack(tmp_path / "b", tmp_path / "unpacked")
    assert tiny.topdb(monkeypatch, "verdict", "unpacked", "--out", "out") == 0
    assert capfd.readouterr().out.startswith("8 of 40 cells reproduce")
    assert tiny.topdb(monkeypatch, "verdict", "b", "--profile", "paper") == 2
    assert "is of profile tiny, not of paper" in capfd.readouterr().err
    (tmp_path / "unpacked/params.yaml").write_text("changed")
    assert tiny.topdb(monkeypatch, "verdict", "unpacked", "--out", "out") == 2
    assert "another SHA-256" in capfd.readouterr().err


FORMER = """
    network: {backbone: small, height: 48, width: 16, activation_power: 2.0}
    training: &training
      epochs: 2
      schedule: {kind: steps, base: 0.001, warmup_epochs: 1, stair_epochs: 1, milestones: [2]}
"""
"""What a profile said of its networks before methods had recipes."""


ROWS = """table,row,method,ranking
table1,Baseline,baseline,plain
table1,no-drop Top-DB-Net,no-drop,plain
table1,no-reg Top-DB-Net,no-reg,plain
table1,Top-DB-Net,top-db-net,plain
table2,Top-DB-Net (Ours),top-db-net,plain
table2,Top-DB-Net+RK (Ours),top-db-net,rk
table2,BoT (Luo 2019),bot,plain
table2,BoT+RK (Luo 2019),bot,rk
table2,MGN (Wang 2018),mgn,plain
"""
"""What `published/rows.csv` of a bundle of format 1 said."""


def former_bundle(study, folder, rows):
    """Unpack a bundle as format 1 was, with the keys and files of then."""
    packed(study, folder / "bundle.tar.gz")
    unpacked = folder / "unpacked"
    tiny.unpack(folder / "bundle.tar.gz", unpacked)
    published = unpacked / "published"
    (unpacked / "papers/top_db_net").rename(published)
    (unpacked / "papers").rmdir()
    paper = yaml.safe_load((published / "paper.yaml").read_text())
    (published / "paper.yaml").unlink()
    if rows:
        (published / "rows.csv").write_text(rows)
    text = (unpacked / "params.yaml").read_text().replace("  tiny:\n", f"  tiny:{FORMER}")
    content = yaml.safe_load(text)
    del content["papers"]
    content["statistics"] |= {"delta": paper["margins"], "families": paper.get("families", {})}
    (unpacked / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    files = [path for path in unpacked.rglob("*") if path.is_file()]
    names = {path.relative_to(unpacked).as_posix(): digest(path) for path in files}
    del names["manifest.json"]
    manifest = {"format": 1, "profile": "tiny", "files": names}
    (unpacked / "manifest.json").write_text(json.dumps(manifest))
    return unpacked


@pytest.mark.parametrize("rows", [ROWS, None], ids=["with rows", "without"])
def test_a_bundle_of_format_1_is_judged_the_same(study, tmp_path, monkeypatch, capfd, rows):
    folder, _, _ = study
    unpacked = former_bundle(study, tmp_path, rows)
    monkeypatch.chdir(tmp_path)
    assert tiny.topdb(monkeypatch, "verdict", "unpacked", "--out", "out") == 0, capfd.readouterr()
    for table in ("table1", "table2"):
        name = f"comparisons/{table}.parquet"
        assert (tmp_path / "out" / name).read_bytes() == (folder / "out" / name).read_bytes()
        for suffix in ("md", "csv", "tex"):
            name = f"{table}.{suffix}"
            assert (tmp_path / "out" / name).read_bytes() == (folder / "out" / name).read_bytes()
    assert (tmp_path / "out/verdict.json").read_bytes() == (
        (folder / "out/verdict.json").read_bytes()
    )
    assert (tmp_path / "out/index.html").is_file()
    assert not (unpacked / "papers").exists()


def project(folder, **changes):
    params = tiny.params(folder, {"rankings": ["plain"], **changes})
    for method in ("baseline", "top-db-net"):
        for seed in params.selected().seeds:
            run = tiny.write_run(folder / "results", "market1501", method, seed)
            tiny.write_queries(run, [0.5, 0.6 + seed / 10, 0.7])
    return params


def judged(params, folder):
    papers = read_papers(params, tiny.PAPERS)
    return recompute(params, "tiny", folder / "results", papers, folder / "out")


def test_a_single_seed_is_no_base_for_a_verdict(tmp_path):
    with pytest.raises(UserError, match="tiny has a single seed.*name two or more"):
        judged(project(tmp_path, seeds=[1]), tmp_path)


def test_a_folder_without_runs_is_named(tmp_path):
    params = tiny.params(tmp_path)
    with pytest.raises(UserError, match=r"results does not exist: name the folder"):
        judged(params, tmp_path)
    (tmp_path / "results").mkdir()
    with pytest.raises(UserError, match=r"holds no evaluated run of profile tiny"):
        judged(params, tmp_path)


def test_missing_runs_are_incomplete_and_no_crash(tmp_path):
    params = project(tmp_path)
    shutil.rmtree(tmp_path / "results/market1501/baseline")
    found = judged(params, tmp_path)
    assert {each.verdict for each in found.cells if each.method == "baseline"} == {"INCOMPLETE"}
    assert "**Incomplete**: 2 of 4 runs" in (tmp_path / "out/table1.md").read_text()


HALF = {str(rank): 0.5 for rank in (1, 5, 10, 20)}


@pytest.mark.parametrize(
    ("name", "key", "value", "sentence"),
    [
        ("plain/metrics.json", "mAP", 0.9, "says mAP 0.9 where its queries have 0.633333"),
        ("plain/metrics.json", "cmc", HALF, "says R1 0.5 where its queries have 1.000000"),
        ("plain/metrics.json", "mAP", None, "is broken"),
        ("run.json", "seed", 2, "is of seed 2, and lies where 1 belongs"),
        ("run.json", "method", "top-db-net", "is of method 'top-db-net'"),
        ("run.json", "features_digest", "b", "is not of the features that run.json states"),
        ("run.json", "features_digest", None, "is not of the features that run.json states"),
        ("plain/metrics.json", "features_digest", None, "not of the features that run.json st"),
    ],
)
def test_files_that_contradict_each_other_are_named(tmp_path, name, key, value, sentence):
    params = project(tmp_path)
    folder = tmp_path / "results/market1501/baseline/seed-1"
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(UserError, match=sentence):
        judged(params, tmp_path)
    assert not (tmp_path / "out").exists()


def test_what_the_tests_write_has_the_columns_of_the_real_writer(tmp_path, monkeypatch):
    tiny.write_features(tmp_path / "features.npz")
    monkeypatch.chdir(tmp_path)
    assert tiny.topdb(monkeypatch, "evaluate", "features.npz", "--out", "real") == 0
    tiny.write_queries(tmp_path, [0.5, None])
    written = pq.read_schema(tmp_path / "plain/queries.parquet")
    assert written.equals(pq.read_schema(tmp_path / "real/plain/queries.parquet"))
