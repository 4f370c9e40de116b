import json
import math

import altair as alt
import pytest
from vl_convert import svg_to_pdf

from topdb.reporting import drawing, plots
from topdb.reporting.looks import looks
from topdb.reporting.plots import FAR_APART, logarithmic

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

    (page,) = drawing.for_page(plot(panel=panel), "a")["layer"]
    assert page["encoding"]["color"]["legend"] is page["encoding"]["shape"]["legend"] is None
    assert "yOffset" not in page["encoding"]
    file = drawing.for_file(plot(panel=panel), "")["vconcat"][0]["spec"]["layer"][0]["encoding"]
    assert file["color"]["legend"]["columns"] == 2
    assert file["yOffset"]["field"] == "ranking"


def test_the_page_and_the_file_draw_the_same_layers():
    page = drawing.for_page(plot(), "a")["layer"]
    file = drawing.for_file(plot(), "")["vconcat"][-1]["spec"]["layer"]
    for layers in (page, file):
        assert layers[0]["encoding"]["x"].pop("scale") is not None
    assert page == file


def ends(dataset, rows, **scale):
    """The ends of the page's x axis of a data set."""

    def panel(own):
        x = plots.along("value", f"{plots.QUANTITY}in percent", **scale)
        return alt.LayerChart(layer=[alt.Chart().mark_point().encode(x=x)])

    drawn = drawing.for_page(plot(panel=panel, rows=rows), dataset)
    x = drawn["layer"][0]["encoding"]["x"]
    return x["scale"].get("domainMin"), x["scale"].get("domainMax"), x


def valued(**values):
    return [
        {"dataset": name, "method": "x", "kind": "one", **row}
        for name, rows in values.items()
        for row in rows
    ]


def test_the_axes_of_the_page_reach_as_far_on_every_data_set():
    rows = valued(a=[{"value": 3.0}, {"value": 5.0}], b=[{"value": 9.0}, {"value": None}])
    assert ends("a", rows)[:2] == ends("b", rows)[:2] == (3.0, 9.0)
    assert ends("a", rows, zero=True)[:2] == (0.0, 9.0)
    assert ends("a", rows, domain=[0, 100])[:2] == (None, None)
    assert ends("a", valued(a=[{"value": 3.0}], b=[{"value": 3.0}]))[:2] == (None, None)


def test_the_axes_of_the_page_are_those_of_the_chosen_quantity_and_name_it():
    rows = valued(
        a=[{"value": 3.0, "quantity": "mAP"}, {"value": 50.0, "quantity": "R1"}],
        b=[{"value": 9.0, "quantity": "mAP"}, {"value": 90.0, "quantity": "R1"}],
    )
    low, high, x = ends("a", rows)
    assert low == {"expr": 'quantity == "mAP" ? 3.0 : 50.0'}
    assert high == {"expr": 'quantity == "mAP" ? 9.0 : 90.0'}
    assert x["axis"]["title"] == {"signal": '"" + quantity + " in percent"'}


def test_an_axis_of_a_file_names_the_quantity_if_it_is_one():
    def panel(own):
        x = plots.along("value", f"{plots.QUANTITY}difference")
        return alt.LayerChart(layer=[alt.Chart().mark_point().encode(x=x)])

    rows = [{**row, "quantity": {"one": "mAP", "other": "R1"}[row["kind"]]} for row in ROWS]
    for down, titles in (
        (
            {"First": {"kind": "one"}, "Second": {"kind": "other"}},
            ["mAP difference", "R1 difference"],
        ),
        ({"Both": {}}, ["difference"]),
    ):
        bands = drawing.for_file(plot(panel=panel, rows=rows, down=down, shared=()), "")["vconcat"]
        layers = [band["spec"]["layer"][0]["encoding"]["x"]["title"] for band in bands]
        assert layers == titles


def test_a_key_above_all_panels_names_the_methods_that_are_drawn():
    shown = looks({"one": "x", "other": "y", "third": "z"})
    key, *bands = drawing.for_file(plot(key=shown), "")["vconcat"]
    assert len(bands) == 2
    texts = [layer["mark"]["text"] for layer in key["layer"] if layer["mark"]["type"] == "text"]
    assert texts == ["x", "y"]
    for look, at in zip(shown, range(0, 6, 3), strict=False):
        line, symbol = (layer["mark"] for layer in key["layer"][at : at + 2])
        assert (line["stroke"], tuple(line["strokeDash"])) == (look.colour, look.dash)
        assert (symbol["fill"], symbol["shape"]) == (look.colour, look.shape)


def test_curves_have_their_symbols_at_places_of_their_own():
    places = [[p for p in range(20) if plots.has_symbol(p, turn, 20)] for turn in range(4)]
    assert places == [[0, 4, 8, 12, 16], [3, 7, 11, 15, 19], [2, 6, 10, 14, 18], [1, 5, 9, 13, 17]]
    assert all(plots.has_symbol(place, turn, 3) for place in range(3) for turn in range(9))


def test_a_panel_of_the_page_has_a_parameter_for_each_control_and_no_address():
    page = drawing.for_page(plot(), "a")
    assert page["params"] == [{"name": "ranking", "value": "plain"}]
    assert page["transform"] == [{"filter": "datum.ranking == ranking"}]
    # Of what no control chooses, the first; what all rows share is left out.
    assert page["data"]["values"] == [
        {"method": "x", "ranking": "plain", "value": 1.0},
        {"method": "y", "ranking": "plain", "value": None},
    ]
    assert "http" not in json.dumps(page)
    assert drawing.for_page(plot(), "c") is None


def test_a_file_has_every_panel_and_keeps_the_place_of_an_empty_one():
    file = drawing.for_file(plot(), "A note.")
    assert [band["title"]["text"] for band in file["vconcat"]] == ["First", "Second"]
    for band in file["vconcat"]:
        panels = [row["panel"] for row in band["data"]["values"]]
        assert panels == ["A", "A", "B", "B", "C"]
    assert file["title"]["subtitle"] == ["What it is.", "A note."]


def test_axes_that_are_shared_stand_below_all_panels_alone():
    shared, own = drawing.for_file(plot(), ""), drawing.for_file(plot(shared=()), "")
    labels = [
        [
            band["spec"]["layer"][0]["encoding"]["x"]["axis"].get("labels")
            for band in each["vconcat"]
        ]
        for each in (shared, own)
    ]
    assert labels == [[False, None], [None, None]]
    assert shared["resolve"]["scale"] == {"x": "shared"}
    assert own["resolve"]["scale"] == {}
    # Those beside each other have the same axes all the same.
    assert all("resolve" not in band for band in own["vconcat"])


def test_a_pdf_is_the_same_each_time():
    circles = "".join(f'<circle cx="9" cy="9" r="{r}" opacity="0.5"/>' for r in range(1, 9))
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{circles}</svg>'
    made = {drawing._sorted(svg_to_pdf(svg)) for _ in range(8)}
    assert len(made) == 1
    assert len({svg_to_pdf(svg) for _ in range(8)}) > 1  # else sorting can go
