"""Contrast of the style sheet's colours: WCAG 2.2, 1.4.3 and 1.4.11."""

import re

import pytest
import tiny

from topdb.reporting.looks import LIGHT as LIGHT_IN_FILES
from topdb.reporting.looks import SHAPES_AND_DASHES

SHEET = (tiny.ROOT / "topdb/reporting/page/templates/page.css").read_text()


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block))


LIGHT, DARK = (colours(block) for block in re.findall(r":root \{(.*?)\}", SHEET, re.DOTALL))
TEXTS = ("ink", "muted", "accent", "good", "bad", "open")
METHODS = tuple(name for name in LIGHT if name.startswith("method-"))


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * each for each in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_formula_knows_black_and_white():
    assert contrast("#000000", "#fff") == pytest.approx(21.0)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.01)


def test_both_schemes_have_the_same_names():
    assert LIGHT.keys() == DARK.keys()
    assert LIGHT_IN_FILES == LIGHT
    assert len(METHODS) == len(SHAPES_AND_DASHES)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_and_marks_stand_out(scheme):
    for text in TEXTS:
        for ground in ("ground", "panel"):
            assert contrast(scheme[text], scheme[ground]) >= 4.5, (text, ground)
    assert contrast(scheme["ink"], scheme["notice"]) >= 4.5
    for method in METHODS:
        for ground in ("ground", "band"):
            assert contrast(scheme[method], scheme[ground]) >= 3.0, (method, ground)
