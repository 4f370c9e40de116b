"""What a file says of its code is told as it is, and what it cannot say is said."""

import pytest
import tiny

from topdb.results.provenance import read_code, together


def told(**entry) -> str:
    return read_code("a" * 64, {"checkouts": [{"of": "topdb", **entry}]}).told


@pytest.mark.parametrize(
    ("entry", "phrase"),
    [
        (tiny.CHECKOUT, "commit 0123456789ab"),
        ({**tiny.CHECKOUT, "repository": "another"}, "commit 0123456789ab of another repository"),
        ({"state": "changed", "files": ["a.py", "b.py"]}, "no commit has it (changed: a.py, b.py)"),
        ({"state": "untracked", "repository": "topdb"}, "git does not track it"),
        (
            {"state": "untracked", "repository": "another"},
            "git does not track it in the repository around it",
        ),
        ({"state": "none"}, "no git checkout"),
        ({"state": "none", "of": "own files"}, "own files: no git checkout"),
        ({"state": "unknown", "reason": "git is not installed"}, "git is not installed"),
    ],
)
def test_each_state_has_a_phrase_of_its_own(entry, phrase):
    assert told(**entry) == phrase


def test_a_refusal_says_how_to_allow_it():
    assert "git config --global --add safe.directory" in told(state="refused")


def test_a_commit_is_to_be_checked_out_only_where_it_holds_all_in_the_projects_own_repository():
    own = {"of": "own files", "state": "committed", "commit": "f" * 40, "repository": "another"}

    def commit(*entries):
        return read_code("a" * 64, {"checkouts": list(entries)}).commit

    assert commit(tiny.CHECKOUT) == "0123456789abcdef"
    assert commit(tiny.CHECKOUT, own) is None
    assert commit({**tiny.CHECKOUT, "repository": "another"}) is None
    assert commit({**tiny.CHECKOUT, "state": "changed"}) is None
    assert commit() is None


def test_an_older_files_commit_was_compared_with_nothing_and_is_said_to_be():
    code = read_code("a" * 64, {"git": {"commit": "f" * 40, "dirty": False}})
    assert (code.commit, code.told) == (
        None,
        f"{'f' * 12}, which was not compared with what ran",
    )
    assert read_code(None, {"git": None}).told == "no commit known"


@pytest.mark.parametrize("wrong", [None, 3, "x", [3], [{}], [{"state": []}], {"a": 1}])
def test_whatever_stands_there_is_read(wrong):
    assert read_code(wrong, {"checkouts": wrong}).commit is None


def test_many_runs_have_one_digest_that_changes_with_any_code():
    one, other = (read_code(each * 64, {"checkouts": [tiny.CHECKOUT]}) for each in "ab")
    digest, phrase = together([("m", one), ("n", other), ("m", one)])
    assert phrase == "commit 0123456789ab"
    assert digest == together([("n", other), ("m", one)])[0]
    assert digest != together([("m", one), ("n", one)])[0]
    assert digest != together([("n", one), ("m", other)])[0]
