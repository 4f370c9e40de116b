import math

import numpy as np
import paper_study
import pyarrow.parquet as pq
import pytest
import tiny

from topdb.evidence.answer import answer
from topdb.evidence.looks import look
from topdb.results.planned import record_planned
from topdb.results.runs import Run
from topdb.statistics import alpha_at_look, hommel


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    params, results = paper_study.write_study(folder)
    return params, results, tiny.compared(params, results)


def test_a_claim_has_the_largest_p_of_its_data_sets_and_is_adjusted_over_its_family(study):
    _, _, found = study
    # No family is declared in the test's parameters: all eight are one.
    adjusted = hommel([claim.p for claim in found.claims])
    against = hommel([claim.p_against for claim in found.claims])
    for claim, p, other in zip(found.claims, adjusted, against, strict=True):
        parts = found.parts(claim.id)
        assert [part.dataset for part in parts] == list(paper_study.DATASETS)
        assert claim.datasets.split() == [part.dataset for part in parts]
        for part in parts:
            assert part.p == max(part.p_over_seeds, part.p_two_way)
        assert claim.p == max(part.p for part in parts)
        assert claim.p_against == min(1.0, 4 * min(part.p_against for part in parts))
        assert claim.adjusted_p == pytest.approx(p)
        assert claim.adjusted_p_against == pytest.approx(other)
        # Five planned seeds that might become more: four fifths of 0.05 and of 0.025.
        assert claim.alpha == pytest.approx(0.04)
        clear = all(part.low > 0 and part.p_two_way <= 0.02 for part in parts)
        assert claim.verdict == ("HOLDS" if clear and p <= 0.04 else "OPEN")
    assert {claim.verdict for claim in found.claims} == {"HOLDS", "OPEN"}


def test_a_claim_that_needs_all_data_sets_has_their_mean_beside_it(study):
    _, _, found = study
    for claim in found.claims:
        parts = found.parts(claim.id)
        assert claim.estimate == pytest.approx(np.mean([part.estimate for part in parts]))
        assert claim.low < claim.estimate < claim.high
        # The study's data sets have the same people, whose errors add up.
        alone = math.hypot(*(part.standard_error for part in parts)) / 4
        assert claim.high - claim.estimate > 1.9 * alone


def test_paired_seeds_reach_no_further_than_their_number_allows(study):
    _, _, found = study
    (claim,) = [claim for claim in found.claims if claim.id == "rk-over-plain-mAP"]
    assert claim.p == claim.smallest_possible_p == 1 / 32
    # In a family of eight of which six reach 1 / 252, Hommel's method takes it as it is.
    assert claim.smallest_adjusted_p == pytest.approx(1 / 32)
    assert claim.verdict == "OPEN"
    assert "paired" in claim.test
    for part in found.parts(claim.id):
        assert part.verdict == "for"
        assert part.low < part.estimate < part.high


def test_parts_say_what_the_paper_prints(study):
    _, _, found = study
    part = found.parts("full-over-baseline-mAP")[0]
    assert part.published == pytest.approx(85.8 - 85.2)


def grown(folder, planned, missing=()):
    """The study, planned with these seeds."""
    params, results = paper_study.write_study(folder, missing)
    record_planned(results, planned)
    return params, results


def test_a_grid_that_grew_says_so_and_is_judged_at_the_level_of_this_look(tmp_path):
    params, results = grown(tmp_path, [1, 2, 3])
    found = tiny.compared(params, results)
    level = alpha_at_look(5, planned=3)
    assert level < 0.02
    assert {claim.extended for claim in found.claims} == {"extended from 3 to 5 seeds"}
    assert {claim.alpha for claim in found.claims} == {level}
    assert {claim.verdict for claim in found.claims} == {"OPEN"}  # p is 0.028 at the best
    judged = [cell for cell in found.cells if cell.verdict]
    assert {cell.extended for cell in judged} == {"extended from 3 to 5 seeds"}
    assert {cell.confidence for cell in judged} == {1 - 2 * level}
    assert "REPRODUCED" in {cell.verdict for cell in judged}


def test_a_grid_that_grew_too_far_has_no_verdict(tmp_path):
    assert look([1, 2], range(1, 9)).closed == ""
    reason = look([1, 2], range(1, 10)).closed
    assert reason.startswith("A grid of 2 planned seeds ends at 8, and this one has 9")
    results = tmp_path / "results"
    seeds = [*range(1, 10)]
    for method, level in (("baseline", 0.5), ("top-db-net", 0.852)):
        for seed in seeds:
            ap = [level + seed / 1000 + person / 1000 for person in range(6)]
            tiny.write_queries(results / f"market1501/{method}/seed-{seed}", ap)
    record_planned(results, [1, 2])
    found = tiny.compared(tiny.params(tmp_path, {"seeds": seeds, "rankings": ["plain"]}), results)
    assert {cell.verdict for cell in found.cells if cell.verdict} == {"INCONCLUSIVE"}
    assert {cell.reason for cell in found.cells if cell.verdict} == {reason}
    claim = next(claim for claim in found.claims if claim.id == "full-over-baseline-mAP")
    assert (claim.verdict, claim.reason) == ("OPEN", reason)


def test_a_planned_seed_that_is_gone_is_named_and_not_forgotten(tmp_path):
    params, results = grown(tmp_path, [1, 2, 3, 4, 5, 6])
    found = tiny.compared(params, results)
    judged = [cell for cell in found.cells if cell.verdict]
    assert {cell.verdict for cell in judged} == {"INCOMPLETE"}
    assert {cell.reason for cell in judged} == {"5 of 6 runs are there."}
    assert {cell.extended for cell in judged} == {"without planned seed 6"}
    assert {claim.verdict for claim in found.claims} == {"OPEN"}


def test_a_collapsed_run_marks_its_cell_and_bars_what_rests_on_its_mean(study, tmp_path):
    params, results = paper_study.write_study(tmp_path)
    folder = Run("market1501", "no-drop", 4).folder(results)
    queries = pq.read_table(folder / "plain/queries.parquet")
    tiny.write_queries(
        folder,
        [0.02] * len(queries),
        pids=queries["pid"].to_pylist(),
        paths=queries["path"].to_pylist(),
    )
    found = tiny.compared(params, results)
    cell = found.cell("market1501", "no-drop", "plain", "mAP")
    assert cell.unstable == "one of 5 runs collapsed"
    assert (cell.verdict, cell.seeds_to_settle) == ("INCONCLUSIVE", None)
    before = {claim.id: claim.verdict for claim in study[2].claims}
    after = {claim.id: claim for claim in found.claims}
    assert before["full-over-no-drop-mAP"] == "HOLDS"
    claim = after["full-over-no-drop-mAP"]
    assert (claim.verdict, claim.reason) == (
        "OPEN",
        "Market-1501: one of 5 runs collapsed (no-drop plain).",
    )
    assert after["full-over-no-reg-mAP"].verdict == "HOLDS"


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
    assert part.test.startswith("sign flips over paired seeds, sampled, one-sided, and a two-way")
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
