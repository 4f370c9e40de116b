"""The files of a comparison: the answer first, every number kept, nothing of a stranger's run."""

import csv
import json
import re

import numpy as np
import pytest
import tiny
from PIL import Image

from topdb.errors import UserError
from topdb.models import compare
from topdb.reporting.own_models import write_compared
from topdb.reporting.page.own_models import EXAMPLES, write_models_page

QUERIES = 12


def write_model(folder, level, seeds=2):
    for seed in range(1, seeds + 1):
        ap = np.clip(np.linspace(0.2, 0.8, QUERIES) + level + 0.01 * seed, 0, 1)
        tiny.write_queries(folder / f"seed-{seed}", ap.tolist())
    return folder


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture
def found(tmp_path):
    a = write_model(tmp_path / "a|<b>=1", 0.0)
    b = write_model(tmp_path / "B", 0.1)
    return compare([a, b])


def test_the_answer_stands_first_in_every_file(found, tmp_path):
    write_compared(found, tmp_path / "out")
    text = (tmp_path / "out/comparison.md").read_text()
    assert text.startswith("**B is higher by 10.0 mAP [")
    assert "with 2 + 2 seeds no permutation test can go below p = 0.33: run 4 + 4.**" in text
    assert "| 2 | a\\|&lt;b&gt;=1 | 2 |" in text
    assert "| B − a\\|&lt;b&gt;=1 | +10.0 [" in text
    told = json.loads((tmp_path / "out/comparison.json").read_text())
    assert told["sentence"] == found.sentence
    assert (told["people"], len(told["models"]), len(told["pairs"])) == (QUERIES, 6, 3)
    own = next(each for each in told["pairs"] if each["quantity"] == "mAP")
    assert own["estimate"] == pytest.approx(10)
    rows = rows_of(tmp_path / "out/comparison.csv")
    assert [each["part"] for each in rows] == ["model"] * 6 + ["pair"] * 3 + ["note"]
    assert float(rows[6]["low"]) == found.pairs[0].low
    assert rows[-1]["name"] == found.sentence
    queries = rows_of(tmp_path / "out/queries.csv")
    assert len(queries) == QUERIES
    assert float(queries[0]["difference"]) == pytest.approx(10)


def test_one_run_has_null_for_what_is_not_known(tmp_path):
    a, b = write_model(tmp_path / "a", 0.0, seeds=1), write_model(tmp_path / "b", 0.1, seeds=1)
    write_compared(compare([a, b]), tmp_path / "out")
    told = json.loads((tmp_path / "out/comparison.json").read_text())
    assert told["models"][0]["sd"] is None
    assert told["pairs"][0]["permutation_p"] is None
    assert "these checkpoints, not these methods" in (tmp_path / "out/comparison.md").read_text()


def test_the_page_is_one_file_that_runs_and_fetches_nothing(found, tmp_path):
    write_models_page(found, tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text()
    assert f'<p class="answer">{found.sentence}' in text.replace("&#39;", "'").replace("&lt;", "<")
    assert "<b>=1" not in text
    assert text.count("<script") == text.count("</script>") == 2
    assert "script-src &#39;sha256-" in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert "Queries that B wins" in text
    assert f"{QUERIES} queries; those won by most." in text
    assert text.count('class="ranking"') == 2 * EXAMPLES  # of the other there is none


def features(tmp_path, name, swapped):
    """Two people; the first query's best match is somebody else's where swapped."""
    gallery = [[0.0], [1.0]] if not swapped else [[1.0], [0.0]]
    return tiny.write_features(
        tmp_path / f"{name}.npz",
        query_features=np.array([[0.1], [0.9]], np.float32),
        query_pids=np.array([1, 2]),
        query_camids=np.array([0, 0]),
        query_paths=np.array(["query/1.jpg", "query/2.jpg"]),
        gallery_features=np.array(gallery, np.float32),
        gallery_pids=np.array([1, 2]),
        gallery_camids=np.array([1, 1]),
        gallery_paths=np.array(["gallery/1.jpg", "gallery/2.jpg"]),
    )


def test_the_page_shows_the_images_of_the_queries_won_and_lost(tmp_path):
    found = compare([features(tmp_path, "good", False), features(tmp_path, "bad", True)])
    root = tmp_path / "images"
    for split in ("query", "gallery"):
        (root / split).mkdir(parents=True)
        for number in (1, 2):
            Image.new("RGB", (100, 300), (number, 2, 3)).save(root / split / f"{number}.jpg")
    write_models_page(found, tmp_path / "index.html", root)
    text = (tmp_path / "index.html").read_text()
    assert text.count("<img ") == 12  # two queries, two lists each of query and two
    (images,) = re.findall(r'id="images">(.*?)</script>', text)
    assert len(json.loads(images)) == 2  # each once: query and gallery have the same two here
    assert 'width="43" height="128" alt="Query"' in text
    assert text.index('alt="Rank 1, right"') < text.index('alt="Rank 1, wrong"')
    (root / "query/1.jpg").unlink()
    with pytest.raises(UserError, match=r"query/1.jpg does not exist: .*--images"):
        write_models_page(found, tmp_path / "index.html", root)
    with pytest.raises(UserError, match="no folder"):
        write_models_page(found, tmp_path / "index.html", tmp_path / "absent")


def test_no_path_of_a_strangers_file_leads_out_of_the_images(tmp_path):
    outside = {"gallery_paths": np.array([f"../{number}.jpg" for number in range(6)])}
    names = [tiny.write_features(tmp_path / f"{name}.npz", **outside) for name in ("a", "b")]
    with np.load(names[1]) as arrays:
        other = dict(arrays) | {"query_features": np.array([[12.0], [10.0], [20.0]], np.float32)}
    np.savez(names[1], **other)
    (tmp_path / "images").mkdir()
    for number in range(6):
        Image.new("RGB", (4, 8)).save(tmp_path / f"{number}.jpg")
    found = compare(names)
    with pytest.raises(UserError, match="leads out of"):
        write_models_page(found, tmp_path / "index.html", tmp_path / "images")


def test_the_command_writes_all_of_it_and_says_the_answer(tmp_path, monkeypatch, capfd):
    pair = [features(tmp_path, "good", False), features(tmp_path, "bad", True)]
    out = tmp_path / "out"
    assert tiny.topdb(monkeypatch, "compare", *pair, "--out", out, "--quantity", "R1") == 0
    assert capfd.readouterr().out.startswith(
        "good and bad cannot be told apart: good has 100.0 R1 more ["
    )
    names = {each.name for each in out.iterdir()}
    assert names == {
        *("comparison.md", "comparison.csv", "comparison.json", "queries.csv", "index.html")
    }


def test_a_page_of_one_model_shows_its_best_and_its_worst_queries(tmp_path, monkeypatch, capfd):
    scores = tmp_path / "scores"
    file = features(tmp_path, "model", False)
    with np.load(file) as arrays:
        other = dict(arrays) | {"query_features": np.array([[0.1], [0.2]], np.float32)}
    np.savez(file, **other)
    assert tiny.topdb(monkeypatch, "evaluate", file, "--out", scores, "--quiet") == 0
    assert tiny.topdb(monkeypatch, "page", scores) == 0
    said = capfd.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"scores has 75\.0 mAP \[.*\] over people\. .*scores/index\.html", said)
    text = (scores / "index.html").read_text()
    best, worst = (text.index(f"{kind} mAP</h2>") for kind in ("Highest", "Lowest"))
    assert best < text.index("AP 100.0") < text.index("person 1, 1 match") < worst
    assert text.rindex("AP 50.0") > worst
    assert "<h2>Differences" not in text


def test_a_table_of_the_page_has_no_column_of_dashes_and_its_rows_names_first(tmp_path):
    a, b = write_model(tmp_path / "a", 0.0, seeds=1), write_model(tmp_path / "b", 0.1, seeds=1)
    write_models_page(compare([a, b]), tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text()
    assert "p over seeds alone, mAP</th>" not in text
    assert '<thead><tr><th scope="col">Model</th>' in text
    assert "<h1>a and b</h1>" in text
