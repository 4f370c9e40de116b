"""The first screen's sentences and squares, counted by hand."""

from dataclasses import replace

import pytest
import tiny

from topdb.config.papers import read_papers
from topdb.reporting.evidence import Evidence
from topdb.reporting.page.answering import claims_sentence, counts, headline, mosaics, told_claims
from topdb.results.comparisons import read_comparisons


@pytest.fixture
def evidence(real):
    """The study's evidence, with its comparisons changed by a function."""

    def changed(change, params=real.params):
        papers = read_papers(params, real.papers)
        comparisons = change(read_comparisons(real.comparisons, "tiny"))
        return Evidence(params, "tiny", real.results, papers, comparisons)

    return changed


def judged(*verdicts, owner="paper", withheld=0):
    """A change: cells of these verdicts, and some without one; no claims."""

    def change(found):
        cell = replace(found.cells[0], false_alarm=0.05)
        cells = [replace(cell, verdict=each, owner=owner, withheld="") for each in verdicts]
        cells += [replace(cell, verdict="", withheld="The network is small.")] * withheld
        return replace(found, cells=tuple(cells), claims=())

    return change


def test_the_answer_is_a_sentence_of_plain_words(evidence):
    cells = ["REPRODUCED"] * 10 + ["EXCEEDS"] * 9 + ["BELOW"] * 11 + ["INCONCLUSIVE"] * 10
    found = headline(evidence(judged(*cells)))
    assert found.title == "Do the results of Top-DB-Net hold?"
    assert found.sentences == ("10 of 40 numbers reproduce; 9 are higher, 11 lower, 10 undecided.",)
    assert found.details == ("Chance alone would make 2.0 of these 40 numbers higher or lower.",)


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["REPRODUCED"], "1 of 1 number reproduces."),
        (["REPRODUCED", "BELOW"], "1 of 2 numbers reproduces; 1 is lower."),
        (["INCOMPLETE", "INCOMPLETE"], "0 of 2 numbers reproduce; 2 are incomplete."),
    ],
)
def test_one_is_one_and_none_is_none(evidence, verdicts, said):
    assert headline(evidence(judged(*verdicts))).sentences == (said,)


def test_competitors_are_counted_apart(evidence):
    def change(found):
        own, others = judged("REPRODUCED"), judged("BELOW", "REPRODUCED", owner="competitor")
        return replace(found, cells=own(found).cells + others(found).cells, claims=())

    found = headline(evidence(change))
    assert found.sentences == ("1 of 1 number of the paper's own methods reproduces.",)
    assert found.details[0] == "1 of 2 numbers of its competitors reproduces; 1 is lower."


def test_numbers_that_may_not_be_compared_are_no_answer(evidence):
    found = headline(evidence(judged(withheld=3)))
    assert found.sentences == ("No number here may be compared with the paper.",)
    assert found.details == ("3 printed cells have no verdict: the network is small (3).",)


def test_claims_hold_are_refuted_or_neither(real):
    claim = read_comparisons(real.comparisons, "tiny").claims[0]

    def said(*verdicts):
        return claims_sentence([replace(claim, verdict=each) for each in verdicts])

    assert said("HOLDS", "HOLDS", "OPEN") == "2 of 3 claims hold; none is refuted."
    assert said("HOLDS", "FAILS", "EXPLORATORY") == "1 of 2 claims holds; 1 is refuted."
    assert said("FAILS", "FAILS") == "0 of 2 claims hold; 2 are refuted."
    assert said("EXPLORATORY") == said() == ""


def test_ones_own_results_are_told_data_set_by_data_set(evidence, real, tmp_path):
    def own(found):
        cells = [
            replace(each, owner="", verdict="", withheld="", mean=mean)
            for each in found.cells
            if (each.ranking, each.quantity) == ("plain", "mAP")
            for mean in [70.0 if each.method == "baseline" else 80.5]
        ]
        return replace(found, cells=tuple(cells), claims=())

    found = headline(evidence(own))
    assert found.title == "Profile tiny"
    (sentence,) = found.sentences
    assert sentence.startswith("Top-DB-Net has the highest mAP on ")
    assert sentence.endswith(" (80.5).")
    content = tiny.content(real.changes)
    content["profiles"]["tiny"]["title"] = "Cameras of the campus"
    params = tiny.params(tmp_path, {**real.changes, "profiles": content["profiles"]})
    assert headline(evidence(own, params)).title == "Cameras of the campus"
    assert headline(evidence(judged("BELOW"), params)).title == "Cameras of the campus"


def test_claims_without_a_run_are_not_told_of_ones_own_results(real):
    found = read_comparisons(real.comparisons, "tiny")
    printed = found.cells
    own = replace(
        found, cells=tuple(replace(e, owner="", verdict="", withheld="") for e in printed)
    )
    run = {claim.id for claim in told_claims(own)}
    assert run == {part.id for part in found.claim_parts if part.estimate == part.estimate}
    assert 0 < len(run) < len(told_claims(found)) == len(found.claims)


def test_drawn_data_have_no_answer(rendered, tmp_path):
    def of(params):
        papers = read_papers(params, rendered.papers)
        comparisons = read_comparisons(rendered.comparisons, "tiny")
        return Evidence(params, "tiny", rendered.results, papers, comparisons)

    found = headline(of(rendered.params))
    assert found.sentences == (
        "The benchmark works.",
        "It has no answer about the paper yet.",
    )
    assert found.details == (
        "6 runs of 2 methods on 1 data set of drawn pedestrians, 3 seeds each. Data, methods and "
        "features of your own: README.md.",
    )
    assert mosaics(of(rendered.params)) == ()
    more = tiny.params(tmp_path, {**rendered.changes, "seeds": [1, 2, 3, 4]})
    assert headline(of(more)).sentences[0] == "The benchmark has made 6 of 8 runs."


def test_a_square_is_a_printed_number(evidence):
    found = mosaics(evidence(lambda each: each))
    assert [each.title for each in found] == ["Plain", "Re-ranked"]
    plain, reranked = found
    assert plain.quantities == ("mAP", "R1")
    assert [count for _, _, count in plain.datasets] == [2]
    assert [row.title for row in plain.rows] == ["Baseline", "Top-DB-Net"]
    square = plain.rows[0].squares[0]
    assert square.cell == "cell-market1501-baseline-plain"
    assert square.verdict
    assert square.label.endswith("published 85.2)")
    # The paper prints no re-ranked baseline; k1 and k2 are not its own.
    assert [row.title for row in reranked.rows] == ["Top-DB-Net"]
    assert {each.verdict for each in reranked.rows[0].squares} == {""}
    assert "no verdict" in reranked.rows[0].squares[0].label


def test_the_key_counts_every_square(evidence):
    changed = evidence(judged("REPRODUCED", "BELOW", "BELOW", withheld=2))
    assert counts(changed.comparisons) == (
        ("REPRODUCED", "reproduce", 1),
        ("BELOW", "lower", 2),
        ("", "not judged", 2),
    )
