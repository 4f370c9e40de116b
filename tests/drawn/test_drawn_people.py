from dataclasses import asdict

import pytest

from topdb.drawn.people import Person, draw_people


def differences(a: Person, b: Person) -> set[str]:
    other = asdict(b)
    return {key for key, value in asdict(a).items() if value != other[key]}


def test_a_person_depends_on_their_own_place_alone() -> None:
    assert draw_people(1, 1, 40, 0.5)[:10] == draw_people(1, 1, 10, 0.5)
    assert draw_people(1, 1, 10, 0.5) != draw_people(1, 2, 10, 0.5)


def test_two_seeds_share_nobody() -> None:
    assert not set(draw_people(1000, 1, 160, 0.5)) & set(draw_people(1501, 1, 96, 0.5))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_near_duplicates_differ_in_one_detail_and_are_as_many_as_asked(share: float) -> None:
    people = draw_people(3, 1, 200, share)
    changed = [differences(a, b) for a, b in zip(people[::2], people[1::2], strict=True)]
    twins = [details for details in changed if len(details) <= 3]
    assert len(twins) == share * 100
    # A detail may need a second feature to be seen, such as a bag to show the bag's colour.
    assert all(details for details in twins)
    assert len(set(people)) == len(people)
