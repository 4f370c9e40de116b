"""Figure 2: input, activation map over it, drop mask, for the chosen queries."""

from matplotlib.figure import Figure

from topdb.reporting.evidence import Evidence
from topdb.reporting.sheets import (
    FOOT,
    HEAD,
    INK,
    PAGE,
    Box,
    empty_sheet,
    place,
    plain,
    sheet,
    with_dropped,
    with_map,
    write,
)

CATEGORY = "Figures of the paper"
NEEDS = "snapshots"
FILES = ("figure2.png", "figure2.pdf")

LABEL, GAP, APART = 0.76, 0.04, 0.16
"""Inches for a row's name, between a person's images, and between people."""
COLUMNS = ("input", "activation", "drop mask")
PEOPLE = 4
POWER = 2
"""p of the activation map (Quispe & Pedrini, ICPR 2020): the released code takes squares."""


def draw(evidence: Evidence) -> Figure:
    """Draw one row a method and three images a query, after the last epoch that was kept."""
    watch = evidence.profile.watch
    shown = evidence.snapshots()
    title = "Figure 2. What is activated, and which rows Top DropBlock drops"
    if not shown:
        return empty_sheet(title, evidence)
    people = min(PEOPLE, min(kept.queries for kept in shown.values()))
    room = PAGE - LABEL - 0.06 - (people - 1) * APART - people * 2 * GAP
    width = min(room / (3 * people), 0.62)
    height = 2 * width
    explained = (
        f"{plain(evidence.title(watch.dataset))}, seed {watch.seed}. Activation: sum over "
        f"channels of $|F|^{{{POWER}}}$, each map from its least (dark) to its greatest (bright).\n"
        "Drop mask: the rows that a training pass drops, black. A random block, the baseline's, is "
        "one draw of many."
    )
    tall = HEAD + len(shown) * (height + 0.08) + FOOT
    figure, axes = sheet(tall, title, explained, evidence)
    for row, (method, kept) in enumerate(shown.items()):
        top = HEAD + row * (height + 0.08)
        name = f"{plain(evidence.name(method))}\nepoch {kept.epochs[-1]}"
        write(axes, 0.04, top + height / 2, name, ha="left", color=INK, fontsize=7)
        for person in range(people):
            image = kept.images[person]
            images = (
                image,
                with_map(image, kept.activation[-1, person]),
                with_dropped(image, kept.keep[-1, person]),
            )
            start = LABEL + person * (3 * width + 2 * GAP + APART)
            for column, picture in enumerate(images):
                box = Box(start + column * (width + GAP), top, width, height)
                place(axes, picture, box)
                if row == 0:
                    write(axes, box.left + width / 2, top - 0.08, COLUMNS[column], fontsize=6)
    return figure
