"""Figure 3: what a training learns to look at and to find, epoch by epoch, method above method."""

from matplotlib.figure import Figure

from topdb.reporting.evidence import Evidence
from topdb.reporting.sheets import (
    FOOT,
    GRID,
    HEAD,
    INK,
    MARK,
    PAGE,
    Box,
    empty_sheet,
    frame,
    place,
    plain,
    sheet,
    with_map,
    write,
)
from topdb.results.snapshots import NO_IMAGE

CATEGORY = "Figures of the paper"
NEEDS = "snapshots"
FILES = ("figure3.png", "figure3.pdf")

LABEL, GAP, APART = 0.62, 0.09, 0.16
"""Inches for a row's name, between images, and between epochs."""
ABOVE = MARK + 0.05
"""Inches above each row, for its marks and frames."""
PEOPLE = 2


def draw(evidence: Evidence) -> Figure:
    """Draw two queries; for each one row a method, and for each epoch its map and first three."""
    watch = evidence.profile.watch
    shown = evidence.snapshots()
    title = "Figure 3. Activation and ranked list while training goes on"
    if not shown:
        return empty_sheet(title, evidence)
    first = next(iter(shown.values()))
    epochs = [
        epoch for epoch in first.epochs if all(epoch in kept.epochs for kept in shown.values())
    ]
    people = min(PEOPLE, min(kept.queries for kept in shown.values()))
    ranks = first.ranked.shape[2]
    room = PAGE - 0.08 - LABEL - len(epochs) * (APART + ranks * GAP)
    width = min(room / (1 + len(epochs) * (1 + ranks)), 0.55)
    height = 2 * width
    block = len(shown) * (ABOVE + height) + 0.1
    tall = HEAD + 0.06 + people * block + FOOT
    explained = (
        f"{plain(evidence.title(watch.dataset))}, seed {watch.seed}; plain ranking, the query "
        "camera's images of the person left out. Map: least (dark) to greatest (bright).\n"
        "Green, solid, ✓: the query's person. Red, dashed, ✗: somebody else."
    )
    figure, axes = sheet(tall, title, explained, evidence)
    start = 0.04 + width + LABEL
    step = (1 + ranks) * width + ranks * GAP + APART
    lefts = {epoch: start + number * step for number, epoch in enumerate(epochs)}
    write(axes, 0.04 + width / 2, HEAD + 0.02, "query")
    for epoch, left in lefts.items():
        span = (left, left + step - APART)
        axes.plot(span, (HEAD - 0.07, HEAD - 0.07), color=GRID, linewidth=0.8)
        write(axes, sum(span) / 2, HEAD - 0.15, f"epoch {epoch}", fontsize=7.5, color=INK)
        for column, head in enumerate(("map", *(f"rank {rank + 1}" for rank in range(ranks)))):
            write(axes, left + column * (width + GAP) + width / 2, HEAD + 0.02, head)
    for person in range(people):
        upper = HEAD + 0.06 + person * block
        rows = len(shown) * (ABOVE + height) + ABOVE
        place(axes, first.images[person], Box(0.04, upper + (rows - height) / 2, width, height))
        for row, (method, kept) in enumerate(shown.items()):
            top = upper + ABOVE + row * (ABOVE + height)
            name = plain(evidence.name(method)).replace("-Net", "-\nNet")
            write(axes, 0.12 + width, top + height / 2, name, ha="left", color=INK, fontsize=7)
            for epoch, left in lefts.items():
                at = kept.epochs.tolist().index(epoch)
                pictured = with_map(kept.images[person], kept.activation[at, person])
                place(axes, pictured, Box(left, top, width, height))
                for rank, image in enumerate(kept.ranked[at, person]):
                    if image == NO_IMAGE:
                        continue
                    box = Box(left + (1 + rank) * (width + GAP), top, width, height)
                    place(axes, kept.images[image], box)
                    frame(axes, box, bool(kept.right[at, person, rank]))
    return figure
