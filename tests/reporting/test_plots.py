import json
import math

import altair as alt
import pytest
from vl_convert import svg_to_pdf

from topdb.reporting import plots
from topdb.reporting.plots import FAR_APART, KNOWN, SHAPES_AND_DASHES, logarithmic, looks

OWN = [f"own-{number}" for number in range(5)]
ROWS = [
    {"dataset": name, "method": method, "ranking": "plain", "kind": kind, "value": value}
    for name in ("a", "b")
    for kind in ("one", "other")
    for method, value in (("x", 1.0), ("y", None))
]


def named(methods):
    return looks({method: method.upper() for method in methods})


def plot(**changes):
    def panel(rows):
        y = plots.lines_of_methods(rows, named(["x", "y"]))
        return alt.LayerChart(
            layer=[alt.Chart().mark_point().encode(x=plots.along("value", "v"), y=y)]
        )

    return plots.Plot(
        **{
            "title": "A title",
            "explained": "What it is.",
            "rows": ROWS,
            "panel": panel,
            "down": {"First": {"kind": "one"}, "Second": {"kind": "other"}},
            "across": {"A": {"dataset": "a"}, "B": {"dataset": "b"}, "C": {"dataset": "c"}},
            **changes,
        }
    )


def test_no_two_methods_look_the_same():
    found = named([*KNOWN, *OWN])
    for attribute in ("title", "colour", "shape", "dash"):
        assert len({getattr(look, attribute) for look in found}) == len(KNOWN) + len(OWN)


def test_a_method_looks_the_same_whichever_others_are_there():
    every = dict(zip(KNOWN, named(KNOWN), strict=True))
    assert named(["mhn", "own-0", "baseline"]) == (
        every["mhn"],
        named(OWN)[0],
        every["baseline"],
    )


def test_more_methods_than_looks_take_turns_with_what_the_known_ones_leave():
    many = [f"own-{number}" for number in range(len(SHAPES_AND_DASHES) - len(KNOWN) + 1)]
    found = named([*KNOWN, *many])
    assert found[-1].shape == found[len(KNOWN)].shape
    assert {look.shape for look in found[: len(KNOWN)]}.isdisjoint({found[-1].shape})


@pytest.mark.parametrize(
    ("values", "far"),
    [
        ([1.0, FAR_APART + 1, math.nan, None], True),
        ([1.0, FAR_APART - 1], False),
        ([0.0, 100.0], False),
        ([-1.0, 100.0], False),
        ([math.nan, math.inf], False),
        ([], False),
    ],
)
def test_a_scale_is_logarithmic_where_a_straight_one_hides_the_small_values(values, far):
    assert logarithmic(values) is far


def test_the_page_names_methods_and_chooses_rankings_itself():
    def panel(rows):
        drawn = plots.marks(named(["x", "y"]), "color", "shape", named=True)
        return alt.LayerChart(
            layer=[alt.Chart().mark_point().encode(x="value:Q", yOffset="ranking:N", **drawn)]
        )

    (page,) = plots.for_page(plot(panel=panel), "a")["layer"]
    assert page["encoding"]["color"]["legend"] is page["encoding"]["shape"]["legend"] is None
    assert "yOffset" not in page["encoding"]
    file = plots.for_file(plot(panel=panel), "")["vconcat"][0]["spec"]["layer"][0]["encoding"]
    assert file["color"]["legend"]["columns"] == 2
    assert file["yOffset"]["field"] == "ranking"


def test_the_page_and_the_file_draw_the_same_layers():
    page, file = plots.for_page(plot(), "a"), plots.for_file(plot(), "")
    assert page["layer"] == file["vconcat"][-1]["spec"]["layer"]


def test_a_panel_of_the_page_has_a_parameter_for_each_control_and_no_address():
    page = plots.for_page(plot(), "a")
    assert page["params"] == [{"name": "ranking", "value": "plain"}]
    assert page["transform"] == [{"filter": "datum.ranking == ranking"}]
    # Of what no control chooses, the first; what all rows share is left out.
    assert page["data"]["values"] == [
        {"method": "x", "ranking": "plain", "value": 1.0},
        {"method": "y", "ranking": "plain", "value": None},
    ]
    assert "http" not in json.dumps(page)
    assert plots.for_page(plot(), "c") is None


def test_a_file_has_every_panel_and_keeps_the_place_of_an_empty_one():
    file = plots.for_file(plot(), "A note.")
    assert [band["title"]["text"] for band in file["vconcat"]] == ["First", "Second"]
    for band in file["vconcat"]:
        panels = [row["panel"] for row in band["data"]["values"]]
        assert panels == ["A", "A", "B", "B", "C"]
    assert file["title"]["subtitle"] == ["What it is.", "A note."]


def test_axes_that_are_shared_stand_below_all_panels_alone():
    shared, own = plots.for_file(plot(), ""), plots.for_file(plot(shared=()), "")
    labels = [
        [
            band["spec"]["layer"][0]["encoding"]["x"]["axis"].get("labels")
            for band in each["vconcat"]
        ]
        for each in (shared, own)
    ]
    assert labels == [[False, None], [None, None]]
    assert shared["resolve"]["scale"] == {"x": "shared"}
    assert own["vconcat"][0]["resolve"]["scale"] == {"x": "independent"}


def test_a_pdf_is_the_same_each_time():
    circles = "".join(f'<circle cx="9" cy="9" r="{r}" opacity="0.5"/>' for r in range(1, 9))
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{circles}</svg>'
    made = {plots._sorted(svg_to_pdf(svg)) for _ in range(8)}
    assert len(made) == 1
    assert len({svg_to_pdf(svg) for _ in range(8)}) > 1  # else sorting can go
