import math

import numpy as np
import paper_study
import pytest
import tiny

from topdb.evidence.answer import answer
from topdb.results.runs import Run


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    params, results = paper_study.write_study(folder)
    return params, results, tiny.compared(params, results)


def test_a_claim_has_the_largest_p_of_its_data_sets_and_holms_place_in_its_family(study):
    _, _, found = study
    claims = {claim.id: claim for claim in found.claims}
    for claim in claims.values():
        parts = found.parts(claim.id)
        assert [part.dataset for part in parts] == list(paper_study.DATASETS)
        assert claim.p == max(part.p for part in parts)
        assert claim.datasets.split() == [part.dataset for part in parts]
    # No family is declared in the test's parameters: all eight are one.
    ordered = sorted(claims.values(), key=lambda claim: claim.p)
    expected = 0.0
    for number, claim in enumerate(ordered):
        expected = max(expected, min(1.0, (8 - number) * claim.p))
        assert claim.adjusted_p == pytest.approx(expected)
        above = all(part.low > 0 for part in found.parts(claim.id))
        assert claim.verdict == ("HOLDS" if above and expected <= 0.05 else "OPEN")
    assert {claim.verdict for claim in found.claims} == {"HOLDS", "OPEN"}


def test_paired_seeds_reach_no_further_than_their_number_allows(study):
    _, _, found = study
    (claim,) = [claim for claim in found.claims if claim.id == "rk-over-plain-mAP"]
    assert claim.p == claim.smallest_possible_p == 1 / 32
    assert claim.smallest_adjusted_p == pytest.approx(2 / 32)  # the six others reach 1 / 252
    assert claim.verdict == "OPEN"
    assert "paired" in claim.test
    for part in found.parts(claim.id):
        assert part.verdict == "for"
        assert part.low < part.estimate < part.high


def test_parts_say_what_the_paper_prints_and_how_many_seeds_would_show_it(study):
    _, _, found = study
    part = found.parts("full-over-baseline-mAP")[0]
    assert part.published == pytest.approx(85.8 - 85.2)
    assert 5 <= part.seeds_to_see <= 10
    assert found.parts("rk-over-plain-mAP")[0].seeds_to_see is None


def test_a_claim_whose_runs_are_missing_is_open_and_says_where(study, tmp_path):
    params, results = paper_study.write_study(tmp_path, missing=(Run("market1501", "baseline", 5),))
    found = tiny.compared(params, results)
    (claim,) = [claim for claim in found.claims if claim.id == "full-over-baseline-mAP"]
    assert (claim.verdict, claim.reason) == ("OPEN", "Runs are missing on Market-1501.")
    assert math.isnan(claim.p)
    assert math.isnan(claim.adjusted_p)
    part = found.parts(claim.id)[0]
    assert (part.seeds, part.reference_seeds) == (5, 4)
    (cell,) = [c for c in found.cells if c.verdict == "INCOMPLETE" and c.quantity == "mAP"][:1]
    assert (cell.method, cell.reason) == ("baseline", "4 of 5 runs are there.")


def test_a_claim_about_what_the_profile_does_not_run_is_open_and_says_so(tmp_path):
    results = tmp_path / "results"
    for method in ("baseline", "top-db-net"):
        for seed in (1, 2):
            folder = results / "market1501" / method / f"seed-{seed}"
            tiny.write_queries(folder, [0.5 + seed / 10] * 4)
    found = tiny.compared(tiny.params(tmp_path, {"rankings": ["plain"]}), results)
    reasons = {claim.id: claim.reason for claim in found.claims}
    assert reasons["full-over-no-drop-R1"] == "The profile does not run no-drop."
    assert reasons["rk-over-plain-mAP"] == "The profile does not run ranking rk."
    assert {claim.verdict for claim in found.claims} == {"OPEN"}


def test_a_claim_fails_by_evidence_against_it(tmp_path):
    results = tmp_path / "results"
    rng = np.random.default_rng(1)
    for method, level in (("baseline", 0.7), ("top-db-net", 0.5)):
        for seed in (1, 2, 3):
            ap = (level + rng.normal(0, 0.02, 30)).tolist()
            tiny.write_queries(results / f"market1501/{method}/seed-{seed}", ap)
    found = tiny.compared(tiny.params(tmp_path, {"seeds": [1, 2, 3]}), results)
    (claim,) = [claim for claim in found.claims if claim.id == "full-over-baseline-mAP"]
    assert claim.verdict == "FAILS"
    assert found.parts(claim.id)[0].verdict == "against"


def test_claims_about_re_ranking_take_any_number_of_seeds(tmp_path):
    seeds = range(1, 19)
    results = tmp_path / "results"
    for seed in seeds:
        for ranking, gain in (("plain", 0.0), ("rk", 0.2)):
            folder = results / f"market1501/top-db-net/seed-{seed}"
            tiny.write_queries(folder, [0.5 + gain + seed / 1000] * 4, ranking)
    params = tiny.params(tmp_path, {"seeds": list(seeds), "methods": ["top-db-net"]})
    found = tiny.compared(params, results)
    (part,) = found.parts("rk-over-plain-mAP")
    assert part.test == "sign flips over paired seeds, sampled, one-sided"
    assert 0.0 < part.p < 0.001


def test_a_claim_that_no_family_declares_is_exploratory_and_leaves_the_others_alone(
    study, tmp_path
):
    params, results, whole = study
    root = tiny.change_paper(tmp_path, paper_study.one_family)
    line = "after,Thought of later,top-db-net,rk,baseline,plain,mAP,all,the results\n"
    with (root / "top_db_net/claims.csv").open("a") as stream:
        stream.write(line)
    found = tiny.compared(params, results, root=root)
    *others, claim = found.claims
    assert others == list(whole.claims)
    assert all(part.low > 0 for part in found.parts("after"))  # it would hold by any measure
    assert claim.p <= 1 / 252
    assert (claim.verdict, claim.family) == ("EXPLORATORY", "")
    assert "No family of paper.yaml declares it" in claim.reason
    assert math.isnan(claim.adjusted_p)
    assert "of 8 claims hold" in answer(found)
    assert "1 is exploratory." in answer(found)
    assert "after" not in {each.id for each in found.claims if each.verdict == "HOLDS"}
