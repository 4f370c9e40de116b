"""How methods look: kept apart by colour, shape and dash, with every vision and in grey."""

import re
from itertools import combinations

import numpy as np
import pytest
import tiny
from PIL import Image, ImageDraw

from topdb.reporting.looks import KNOWN, SHAPES_AND_DASHES, looks

OWN = [f"own-{number}" for number in range(2)]
SHEET = (tiny.ROOT / "topdb/reporting/page/templates/page.css").read_text(encoding="utf-8")
SCHEMES = dict(
    zip(("light", "dark"), re.findall(r":root \{(.*?)\}", SHEET, re.DOTALL), strict=True)
)
VISIONS = {
    # Machado, Oliveira & Fernandes (2009), severity 1.0, on linear RGB.
    "usual": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
    "print in grey": [[0.2126, 0.7152, 0.0722]] * 3,
}
NEAR = 20.0
"""Distance in CIELAB below which two lines or small marks are not told apart by colour alone."""
ALIKE = 0.85
"""Share that two shapes, or two dashed lines, may have in common at most."""


def named(methods, own=()):
    return looks({method: method.upper() for method in methods}, own)


def lab(colour: str, vision: str):
    """CIELAB under D65 of a colour as somebody sees it."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * each for each in colour[1:])
    parts = np.array([int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISIONS[vision]) @ linear, 0.0, 1.0)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.array(to_xyz) @ seen / (0.9505, 1.0, 1.089)
    fx, fy, fz = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


def distance(one: str, other: str, vision: str = "usual") -> float:
    return float(np.linalg.norm(lab(one, vision) - lab(other, vision)))


def shared_shape(one: str, other: str) -> float:
    """The area that two shapes have in common, as a share of what they cover together."""
    first, second = covered(one), covered(other)
    return float((first & second).sum() / (first | second).sum())


def covered(path: str):
    image = Image.new("1", (100, 100))
    draw = ImageDraw.Draw(image)
    if "A" in path:
        draw.ellipse((10, 10, 90, 90), fill=1)
    else:
        corners = [each.split(",") for each in path[1:-1].split("L")]
        draw.polygon([(50 + 40 * float(x), 50 + 40 * float(y)) for x, y in corners], fill=1)
    return np.array(image)


def shared_line(one, other) -> float:
    """The share of two dashed lines that is ink in both or in neither, laid as they agree most."""
    first, second = ink(one), ink(other)
    return max(float((first[:480] == second[at : at + 480]).mean()) for at in range(240))


def ink(dash):
    repeated = [(length, turn % 2 == 0) for turn, length in enumerate(dash)]
    pixels = [on for length, on in repeated for _ in range(4 * length)]
    return np.resize(np.array(pixels), 720)


def test_distances_and_shares_are_what_is_known_of_them():
    assert distance("#000", "#fff") == pytest.approx(100.0, abs=0.1)
    assert distance("#f00", "#f00") == 0.0
    # Red and green of the same lightness: far apart, but for who lacks the red or green cones.
    assert distance("#c00000", "#6a6a00") > 50
    assert distance("#c00000", "#6a6a00", "deuteranopia") < 25
    assert distance("#0000ff", "#007070", "tritanopia") < distance("#0000ff", "#007070")
    assert distance("#ff0000", "#7f7f7f", "print in grey") < 3
    square = "M-1,-1L1,-1L1,1L-1,1Z"
    assert shared_shape(square, square) == 1.0
    assert shared_shape(square, "M-1,-1L1,-1L1,0L-1,0Z") == pytest.approx(0.5, abs=0.02)
    assert shared_line((2, 2), (2, 2)) == 1.0
    assert shared_line((1, 0), (3, 1)) == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("vision", VISIONS)
def test_who_is_near_in_colour_differs_in_shape_and_dash(scheme, vision):
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", SCHEMES[scheme]))
    every = named([*KNOWN, *OWN], OWN)
    seen = {look: colours[look.colour[len("var(--") : -1]] for look in every}
    near = [
        (one, other)
        for one, other in combinations(every, 2)
        if distance(seen[one], seen[other], vision) < NEAR
    ]
    assert near or vision == "usual"
    for one, other in near:
        assert shared_shape(one.shape, other.shape) <= ALIKE, (one.title, other.title)
        assert shared_line(one.dash, other.dash) <= ALIKE, (one.title, other.title)


def test_every_method_that_is_shipped_is_known():
    shipped = {path.stem.replace("_", "-") for path in (tiny.ROOT / "topdb/methods").glob("*.py")}
    assert set(KNOWN) == shipped - {"--init--"}
    assert len(KNOWN) < len(SHAPES_AND_DASHES)


def test_no_two_methods_look_the_same():
    found = named([*KNOWN, *OWN], OWN)
    for attribute in ("title", "colour", "shape", "dash"):
        assert len({getattr(look, attribute) for look in found}) == len(found)


def test_a_method_looks_the_same_whichever_others_are_shown():
    every = dict(zip([*KNOWN, *OWN], named([*KNOWN, *OWN], OWN), strict=True))
    shown = ["mhn", "own-1", "baseline"]
    assert named(shown, OWN) == tuple(every[method] for method in shown)
    assert named(shown, [*KNOWN, *OWN]) == named(shown, OWN)


def test_of_many_methods_no_two_have_more_than_one_thing_in_common():
    own = [f"own-{number}" for number in range(60)]
    for one, other in combinations(named([*KNOWN, *own], own), 2):
        same = [getattr(one, each) == getattr(other, each) for each in ("colour", "shape", "dash")]
        assert sum(same) <= 1
