"""Who is drawn: what tells people apart, and near-duplicates who differ in one small detail."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
from numpy.random import Generator

Thing = TypeVar("Thing")
Colour = tuple[int, int, int]
HairStyle = Literal["short", "long", "bald", "bun"]
Pattern = Literal["plain", "hoops", "stripes", "checks", "yoke", "open"]
Bottom = Literal["trousers", "shorts", "skirt"]
BagKind = Literal["backpack", "shoulder", "hand"]

_SKIN: tuple[Colour, ...] = (
    (236, 196, 168),
    (214, 168, 134),
    (186, 136, 102),
    (138, 94, 68),
    (92, 62, 46),
)
_HAIR: tuple[Colour, ...] = (
    (28, 24, 22),
    (62, 42, 30),
    (112, 78, 46),
    (170, 136, 84),
    (140, 140, 140),
)
_CLOTH: tuple[Colour, ...] = (
    (34, 34, 38),
    (70, 72, 78),
    (136, 138, 142),
    (216, 216, 212),
    (36, 46, 84),
    (52, 92, 158),
    (134, 170, 206),
    (170, 42, 46),
    (96, 34, 46),
    (48, 104, 66),
    (98, 100, 60),
    (190, 166, 126),
    (110, 76, 52),
    (206, 130, 150),
    (206, 178, 70),
    (96, 66, 124),
)
_CLOTH_WEIGHTS = np.array([7, 4, 4, 4, 5, 2, 1, 1, 1, 1, 1, 2, 1, 0.5, 0.5, 0.5])


@dataclass(frozen=True, slots=True)
class Person:
    """What a person looks like under every camera. Lengths are shares of the body's height."""

    skin: Colour
    hair: Colour
    hair_style: HairStyle
    hat: Colour | None
    scarf: Colour | None
    top: Colour
    top_second: Colour
    pattern: Pattern
    long_sleeves: bool
    hem: float
    """How far the top reaches below the hip."""
    logo: Colour | None
    belt: Colour | None
    bottom: Bottom
    bottom_colour: Colour
    seam: Colour | None
    """Stripe down the outside of each leg."""
    shoes: Colour
    bag: BagKind | None
    bag_colour: Colour
    stature: float
    build: float
    """Breadth relative to the average."""
    head: float
    hip: float
    """Height of the hip, counted down from the crown."""


def draw_people(seed: int, group: int, count: int, near_duplicates: float) -> list[Person]:
    """Return `count` people; a person depends on the seed, the group and their place in it alone.

    Of each two neighbours the second is a copy of the first but for one detail, in as many pairs
    as make the share `near_duplicates` of all people.
    """
    people: list[Person] = []
    for place in range(count):
        rng = np.random.default_rng([seed, group, place])
        pair = place // 2
        twin = place % 2 == 1 and int((pair + 1) * near_duplicates) > int(pair * near_duplicates)
        people.append(change_one_detail(people[-1], rng) if twin else draw_person(rng))
    return people


def draw_person(rng: Generator) -> Person:
    """Return a person with features drawn at random."""
    bottom: Bottom = _pick(rng, ("trousers", "shorts", "skirt"), (0.78, 0.12, 0.1))
    return Person(
        skin=_tint(rng, _pick(rng, _SKIN, (4, 4, 3, 2, 1)), 8),
        hair=_tint(rng, _pick(rng, _HAIR, (5, 4, 2, 1, 1)), 6),
        hair_style=_pick(rng, ("short", "long", "bald", "bun"), (5, 4, 0.7, 1)),
        hat=_maybe(rng, 0.15),
        scarf=_maybe(rng, 0.12),
        top=_cloth(rng),
        top_second=_cloth(rng),
        pattern=_pick(
            rng, ("plain", "hoops", "stripes", "checks", "yoke", "open"), (9, 1, 0.6, 0.6, 1, 2)
        ),
        long_sleeves=bool(rng.random() < 0.6),
        hem=_pick(rng, (0.03, 0.1, 0.2), (7, 2, 1)),
        logo=_maybe(rng, 0.25),
        belt=_maybe(rng, 0.2),
        bottom=bottom,
        bottom_colour=_cloth(rng),
        seam=_maybe(rng, 0.15) if bottom == "trousers" else None,
        shoes=_cloth(rng),
        bag=_pick(rng, (None, "backpack", "shoulder", "hand"), (5, 3, 2, 2)),
        bag_colour=_cloth(rng),
        stature=float(rng.uniform(0.9, 1.0)),
        build=float(rng.uniform(0.85, 1.22)),
        head=float(rng.uniform(0.92, 1.08)),
        hip=float(rng.uniform(0.49, 0.54)),
    )


def change_one_detail(person: Person, rng: Generator) -> Person:
    """Return a copy that differs in one small detail: a colour or a thing of head to foot."""
    changes: tuple[Callable[[], Person], ...] = (
        lambda: replace(person, hat=_other(rng, person.hat)),
        lambda: replace(person, scarf=_other(rng, person.scarf)),
        lambda: replace(person, logo=_other(rng, person.logo)),
        lambda: replace(person, seam=_other(rng, person.seam), bottom="trousers"),
        lambda: replace(person, shoes=_unlike(rng, person.shoes)),
        lambda: replace(
            person, bag_colour=_unlike(rng, person.bag_colour), bag=person.bag or "hand"
        ),
        lambda: replace(person, long_sleeves=not person.long_sleeves),
        lambda: (
            replace(person, top_second=_unlike(rng, person.top_second), pattern="yoke")
            if person.pattern == "plain"
            else replace(person, top_second=_unlike(rng, person.top_second))
        ),
        lambda: replace(person, hair_style="short" if person.hair_style == "long" else "long"),
    )
    return changes[rng.integers(len(changes))]()


def _pick(rng: Generator, things: tuple[Thing, ...], weights: tuple[float, ...]) -> Thing:
    shares = np.asarray(weights, float)
    return things[int(rng.choice(len(things), p=shares / shares.sum()))]


def _cloth(rng: Generator) -> Colour:
    shares = _CLOTH_WEIGHTS / _CLOTH_WEIGHTS.sum()
    return _tint(rng, _CLOTH[int(rng.choice(len(_CLOTH), p=shares))], 5)


def _maybe(rng: Generator, chance: float) -> Colour | None:
    return _cloth(rng) if rng.random() < chance else None


def _other(rng: Generator, colour: Colour | None) -> Colour | None:
    """Return None for a thing that was there, and a colour for one that was not."""
    return _cloth(rng) if colour is None else None


def _unlike(rng: Generator, colour: Colour) -> Colour:
    """Return a colour that can be told from another at a glance."""
    found = _cloth(rng)
    while sum(abs(a - b) for a, b in zip(found, colour, strict=True)) < 150:
        found = _cloth(rng)
    return found


def _tint(rng: Generator, colour: Colour, spread: int) -> Colour:
    red, green, blue = np.clip(np.array(colour) + rng.integers(-spread, spread + 1, 3), 0, 255)
    return int(red), int(green), int(blue)
