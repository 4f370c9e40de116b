"""The interactive charts, as Vega-Lite with their data inside; a panel a data set.

Colours are names of the style sheet's variables, so that light, dark and print need no redrawing.
`quantity` and `ranking` are parameters that the page's controls set in all panels at once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from topdb.config import Profile
from topdb.reporting.page.evidence import Evidence, Rows
from topdb.reporting.page.shapes import SHAPES
from topdb.reporting.scales import logarithmic
from topdb.reporting.titles import Titles
from topdb.reporting.turns import turns

QUANTITIES = ("mAP", "R1")

FURNITURE = 46
"""Pixels that an axis with its title takes below a panel."""
RING = " A ring is the published difference."
DASHES = (
    (1, 2),
    (6, 3),
    (6, 2, 1, 2),
    (1, 0),
    (10, 2),
    (6, 2, 2, 2),
    (16, 4),
    (6, 2, 2, 2, 2, 2),
    (2, 2),
    (16, 4, 4, 4),
    (4, 2),
    (10, 8),
    (2, 6),
    (12, 2, 2, 2, 2, 2, 2, 2),
    (20, 6),
    (8, 4, 8, 4, 2, 4),
)
"""One a look, like the shapes and the style sheet's colours."""
MANY = 6
"""Methods from which on their rows stand closer together."""


@dataclass(frozen=True)
class Panel:
    """One chart of a group."""

    title: str
    label: str
    """What a screen reader says in place of the picture."""
    spec: dict[str, Any]
    height: int
    """Pixels to keep free for it, axis included."""


@dataclass(frozen=True)
class Group:
    """Charts of one kind, a panel a data set."""

    id: str
    title: str
    explanation: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Look:
    """How a method is drawn, and its entry in the legend."""

    title: str
    colour: int
    shape: str
    """A path in a square from -1 to 1."""
    dash: str
    """As SVG wants it."""


@dataclass(frozen=True)
class Shown:
    """A profile with the looks of its methods."""

    profile: Profile
    looks: tuple[Look, ...]

    @property
    def titles(self) -> list[str]:
        """What the methods are called."""
        return [look.title for look in self.looks]


def looks(profile: Profile, titles: Titles) -> tuple[Look, ...]:
    """Return the look of each method, in the profile's order."""
    return tuple(
        Look(titles.of(method), turn, SHAPES[turn], " ".join(map(str, DASHES[turn])))
        for method, turn in turns(profile.methods, len(SHAPES)).items()
    )


def chart_groups(
    profile: Profile, reference: str, evidence: Evidence, titles: Titles
) -> Iterator[Group]:
    """Yield the groups that there are data for."""
    named = titles.of(reference)
    shown = Shown(profile, looks(profile, titles))
    kinds: list[tuple[str, str, str, Rows, Callable[[Shown, list[dict[str, Any]]], Any], int]] = [
        (
            "seeds",
            "Every run",
            "A mark a seed. What lies within the spread of a method's own marks is no difference "
            "between methods.",
            evidence.runs,
            _runs,
            _rows_height(profile),
        ),
        (
            "differences",
            f"Difference to {named}",
            "Percentage points, with the interval over people and seeds. An interval that crosses "
            f"the line at 0 leaves the question open.{RING if _any_published(evidence) else ''}",
            evidence.differences,
            _differences,
            _rows_height(profile),
        ),
        (
            "published",
            "Measured minus published",
            "Percentage points, with the interval that decides the verdict: it must lie within "
            "the shaded margin to count as reproduced.",
            evidence.published,
            _published,
            _rows_height(profile),
        ),
        (
            "cmc",
            "Cumulative matching characteristic",
            "Share of queries with a right image at this rank or before; mean over seeds.",
            evidence.cmc,
            _cmc,
            180,
        ),
        (
            "training",
            "Training loss",
            "Mean over seeds; the band spans the lowest and the highest seed. Each method adds up "
            "losses of its own.",
            evidence.training,
            _training,
            180,
        ),
    ]
    for name, title, explanation, rows, draw, height in kinds:
        panels = tuple(
            Panel(
                profile.title(dataset),
                f"{title} on {profile.title(dataset)}",
                _spec(draw(shown, rows[dataset]), height, f"{title}. {explanation}"),
                height + FURNITURE,
            )
            for dataset in profile.datasets
            if rows.get(dataset)
        )
        if panels:
            yield Group(name, title, explanation, panels)


def _any_published(evidence: Evidence) -> bool:
    return any(
        row["published"] is not None for rows in evidence.differences.values() for row in rows
    )


def _rows_height(profile: Profile) -> int:
    count = len(profile.methods)
    return (30 if count < MANY else 24) * count + 10


def _spec(chart: Any, height: int, description: str) -> dict[str, Any]:
    """Return a chart's Vega-Lite without any address, at the width of its place."""
    chart = chart.properties(width="container", height=height, description=description).configure(
        background="transparent",
        font="system-ui, sans-serif",
        padding={"left": 0, "top": 2, "right": 8, "bottom": 4},
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor="var(--muted)",
            titleColor="var(--muted)",
            titleFontWeight=400,
            labelFontSize=11,
            titleFontSize=11,
            gridColor="var(--rule)",
            domainColor="var(--rule)",
            tickColor="var(--rule)",
            labelLimit=150,
        ),
    )
    spec: dict[str, Any] = chart.to_dict()
    del spec["$schema"]
    return spec


def _data(rows: Sequence[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=list(rows))


def _wanted(*names: str) -> str:
    """Return the filter that keeps the rows which the page's controls name."""
    return " && ".join(f"datum.{name} == {name}" for name in names)


def _switches(shown: Shown, *names: str) -> list[Any]:
    """Return the parameters that the page's controls set."""
    first = {"quantity": QUANTITIES[0], "ranking": shown.profile.rankings[0]}
    return [alt.param(name=name, value=first[name]) for name in names]


def _colour(shown: Shown) -> alt.Color:
    colours = [f"var(--method-{look.colour})" for look in shown.looks]
    return alt.Color("method:N", legend=None, scale=alt.Scale(domain=shown.titles, range=colours))


def _shape(shown: Shown) -> alt.Shape:
    shapes = [look.shape for look in shown.looks]
    return alt.Shape("method:N", legend=None, scale=alt.Scale(domain=shown.titles, range=shapes))


def _dash(shown: Shown) -> alt.StrokeDash:
    dashes = [list(DASHES[look.colour]) for look in shown.looks]
    return alt.StrokeDash(
        "method:N", legend=None, scale=alt.Scale(domain=shown.titles, range=dashes)
    )


def _rows_of_methods(shown: Shown, rows: list[dict[str, Any]]) -> alt.Y:
    """A line a method that has rows."""
    known = {row["method"] for row in rows}
    return alt.Y(
        "method:N",
        title=None,
        scale=alt.Scale(domain=[title for title in shown.titles if title in known]),
        axis=alt.Axis(grid=True, ticks=False, domain=False, labelPadding=8),
    )


def _along(field: str, title: str, **scale: Any) -> alt.X:
    axis = alt.Axis(grid=False, tickCount=5)
    return alt.X(f"{field}:Q", title=title, axis=axis, scale=alt.Scale(**scale))


def _tooltip(*fields: tuple[str, str]) -> list[alt.Tooltip]:
    return [
        alt.Tooltip(field, title=title, format=".1f" if field.endswith(":Q") else alt.Undefined)
        for field, title in fields
    ]


def _runs(shown: Shown, rows: list[dict[str, Any]]) -> Any:
    chart = (
        alt.Chart(_data(rows))
        .mark_point(filled=True, size=60, opacity=0.75)
        .encode(
            x=_along("value", "percent", zero=False, padding=12),
            y=_rows_of_methods(shown, rows),
            color=_colour(shown),
            shape=_shape(shown),
            tooltip=_tooltip(("method:N", "Method"), ("seed:N", "Seed"), ("value:Q", "Percent")),
        )
        .transform_filter(_wanted("quantity", "ranking"))
    )
    return chart.add_params(*_switches(shown, "quantity", "ranking"))


def _intervals(shown: Shown, rows: list[dict[str, Any]], title: str, wording: str) -> list[Any]:
    """A line at 0, and each method's estimate with its interval."""
    base = (
        alt.Chart(_data(rows))
        .encode(
            y=_rows_of_methods(shown, rows),
            color=_colour(shown),
            tooltip=_tooltip(
                ("method:N", "Method"),
                ("estimate:Q", title),
                ("low:Q", "Interval from"),
                ("high:Q", "to"),
                ("verdict:N", wording),
            ),
        )
        .transform_filter(_wanted("quantity", "ranking"))
    )
    zero = alt.Chart(_data([{}])).mark_rule(color="var(--muted)").encode(x=alt.datum(0))
    interval = base.mark_rule(strokeWidth=2.5).encode(x=_along("low", title), x2="high:Q")
    point = base.mark_point(filled=True, size=70, opacity=1).encode(
        x="estimate:Q", shape=_shape(shown)
    )
    return [zero, interval, point]


def _differences(shown: Shown, rows: list[dict[str, Any]]) -> Any:
    layers = _intervals(shown, rows, "percentage points", "Verdict")
    if any(row["published"] is not None for row in rows):
        layers.append(
            alt.Chart(_data(rows))
            .mark_point(shape="circle", filled=False, size=110, strokeWidth=1.5, color="var(--ink)")
            .encode(
                x="published:Q",
                y=_rows_of_methods(shown, rows),
                tooltip=_tooltip(("method:N", "Method"), ("published:Q", "Published")),
            )
            .transform_filter(_wanted("quantity", "ranking"))
        )
    return alt.layer(*layers).add_params(*_switches(shown, "quantity", "ranking"))


def _published(shown: Shown, rows: list[dict[str, Any]]) -> Any:
    margin = rows[0]["delta"]
    band = (
        alt.Chart(_data([{"from": -margin, "to": margin}]))
        .mark_rect(color="var(--band)")
        .encode(x="from:Q", x2="to:Q")
    )
    layers = _intervals(shown, rows, "percentage points", "Verdict")
    return alt.layer(band, *layers).add_params(*_switches(shown, "quantity", "ranking"))


def _cmc(shown: Shown, rows: list[dict[str, Any]]) -> Any:
    chart = (
        alt.Chart(_data(rows))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("rank:Q", title="rank", axis=alt.Axis(grid=False, tickMinStep=1)),
            y=alt.Y("value:Q", title="percent", scale=alt.Scale(zero=False)),
            color=_colour(shown),
            strokeDash=_dash(shown),
            tooltip=_tooltip(("method:N", "Method"), ("rank:N", "Rank"), ("value:Q", "Percent")),
        )
        .transform_filter(_wanted("ranking"))
    )
    return chart.add_params(*_switches(shown, "ranking"))


def _training(shown: Shown, rows: list[dict[str, Any]]) -> Any:
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(grid=False, tickMinStep=1)),
        color=_colour(shown),
        tooltip=_tooltip(("method:N", "Method"), ("epoch:N", "Epoch"), ("loss:Q", "Loss")),
    )
    values = [row[name] for row in rows for name in ("low", "high") if row[name] is not None]
    if logarithmic(values):
        scale, axis = alt.Scale(type="log", nice=False), alt.Axis(tickCount=3, format="~g")
    else:
        scale, axis = alt.Scale(zero=False), alt.Axis()
    band = base.mark_area(opacity=0.18).encode(
        y=alt.Y("low:Q", title="loss", scale=scale, axis=axis), y2="high:Q"
    )
    return band + base.mark_line(strokeWidth=2).encode(y="loss:Q", strokeDash=_dash(shown))
