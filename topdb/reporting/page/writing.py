"""`index.html` from the comparisons, the tables, the plots and the examples."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment
from PIL import Image, UnidentifiedImageError

from topdb.errors import UserError
from topdb.files import write_text
from topdb.reporting.documents import Document
from topdb.reporting.drawing import for_page
from topdb.reporting.evidence import Evidence
from topdb.reporting.figures import figure, plot_names
from topdb.reporting.page.answering import (
    WORDS,
    claims_sentence,
    counts,
    headline,
    mosaics,
    told_claims,
)
from topdb.reporting.page.cells import cell_id, details, run_facts, undecided
from topdb.reporting.page.claims import claim_rows
from topdb.reporting.page.embedding import Shelf, data_block, environment, policy, script, source
from topdb.reporting.page.grids import page_tables
from topdb.reporting.page.lists import read_galleries
from topdb.reporting.page.sets import data_sets, set_id
from topdb.reporting.plots import Plot
from topdb.reporting.rendering import difference
from topdb.reporting.tables import claim_lines

WIDEST = 1440
"""Pixels; enough for the page's column on a dense screen."""
_CAPTIONS = {
    "figure2": "Figure 2. Input, activation map over it, and drop mask of chosen queries.",
    "figure3": (
        "Figure 3. The same query by the baseline and by Top-DB-Net during training: activation "
        "maps and the nearest gallery images, right and wrong ones marked."
    ),
}
FURNITURE = 46
"""Pixels that an axis with its title takes below a panel."""
ONLY = "only"
"""The parameter of every chart that names the one method which a reader chose; empty for all."""
FAINT = 0.07
"""Opacity of the other methods' marks then."""


@dataclass(frozen=True)
class Figure:
    """An image with its size, in pixels, and its caption."""

    image: int
    """Its number on the shelf."""
    width: int
    height: int
    caption: str


def read_figure(path: Path, shelf: Shelf) -> Figure:
    """Read an image file, as WebP that is no wider than the page needs.

    Raises
    ------
    UserError
        The file is missing or is no image.
    """
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: make it first, or leave --figure out.") from None
    except (UnidentifiedImageError, OSError) as error:
        raise UserError(f"{path} is no readable image ({error}): make it again.") from None
    if image.width > WIDEST:
        height = round(image.height * WIDEST / image.width)
        image = image.resize((WIDEST, height), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=80, method=4)
    return Figure(
        image=shelf.image(stream.getvalue()),
        width=image.width,
        height=image.height,
        caption=_CAPTIONS.get(path.stem, path.stem),
    )


@dataclass(frozen=True)
class Panel:
    """One data set's chart of a plot."""

    title: str
    label: str
    """What a screen reader says in place of the picture."""
    spec: dict[str, Any]
    height: int
    """Pixels to keep free for it, axis included."""


@dataclass(frozen=True)
class Group:
    """The charts of one plot, a panel a data set."""

    id: str
    plot: Plot
    panels: tuple[Panel, ...]


def plot_groups(evidence: Evidence) -> list[Group]:
    """Return the plots that there are data for, in their order on the page."""
    modules = {name: figure(name) for name in plot_names()}
    groups = []
    for name, module in sorted(modules.items(), key=lambda each: each[1].ORDER):
        plot = module.plot(evidence)
        specs = {dataset: for_page(plot, dataset) for dataset in evidence.profile.datasets}
        panels = tuple(
            Panel(
                evidence.title(dataset),
                f"{plot.title} on {evidence.title(dataset)}",
                isolating(spec),
                spec["height"] + FURNITURE,
            )
            for dataset, spec in specs.items()
            if spec
        )
        if panels:
            groups.append(Group(name, plot, panels))
    return groups


def isolating(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a chart whose marks are faint but for those of the method that `only` names."""
    layers = []
    for layer in spec["layer"]:
        own = {**layer, "encoding": {**layer["encoding"]}}
        mark = layer["mark"] if isinstance(layer["mark"], dict) else {}
        if "opacity" not in own["encoding"]:
            chosen = {"test": f"{ONLY} == '' || datum.method == {ONLY}"}
            own["encoding"]["opacity"] = {
                "condition": {**chosen, "value": mark.get("opacity", 1)},
                "value": FAINT,
            }
        layers.append(own)
    return {**spec, "layer": layers, "params": [*spec["params"], {"name": ONLY, "value": ""}]}


def write_page(
    evidence: Evidence,
    tables: Sequence[Document],
    examples: Path | None,
    figures: Sequence[Path],
    out: Path,
) -> None:
    """Write the page of a paper's tables. Equal input gives equal bytes.

    Raises
    ------
    UserError
        A file that the page needs is missing or broken.
    """
    profile, results, titles = evidence.profile, evidence.results, evidence.titles
    comparisons = evidence.comparisons
    reference = evidence.statistics.reference_method
    groups, shelf = plot_groups(evidence), Shelf()
    told = told_claims(comparisons)
    lines = [each for each in claim_lines(profile, comparisons) if each.claim in told]
    claims, axis = claim_rows(lines)
    templates = environment()
    templates.globals |= {
        "axis": axis,
        "cell_id": cell_id,
        "checkpoints": comparisons.one_seed_parts,
        "claim_titles": {each.id: each.title for each in comparisons.claims},
        "dataset_title": type(profile).title,
        "difference": difference,
        "profile": profile,
        "reference": titles.of(reference),
        "rendered": comparisons.rendered,
        "set_id": set_id,
        "titles": titles,
        "words": WORDS,
    }
    shown = page_tables(tables, comparisons)
    templates.globals["adjusted"] = any(each.adjusted for each in shown)
    galleries = read_galleries(examples, profile, reference, titles, shelf) if examples else ()
    sets = data_sets(evidence)
    for cell in details(profile, results, comparisons, titles):
        _put(templates, shelf, cell.id, cell.title, "cell.html.jinja", cell=cell)
    for row in claims:
        _put(templates, shelf, row.id, row.claim.title, "claim.html.jinja", row=row)
    listed = {gallery.dataset for gallery in galleries}
    for data in sets:
        known = {"data": data, "has_lists": data.name in listed}
        _put(templates, shelf, data.id, data.title, "data.html.jinja", **known)
    for gallery in galleries:
        name = f"lists-{gallery.dataset}"
        _put(templates, shelf, name, gallery.title, "gallery.html.jinja", gallery=gallery)
    for table in shown:
        parts = {"printed": table.printed.blocks, "differences": table.differences}
        for part in (part for part, content in parts.items() if content):
            _put(
                templates,
                shelf,
                f"{table.name}-{part}",
                table.title,
                f"{part}.html.jinja",
                table=table,
            )
    pictures = [read_figure(path, shelf) for path in figures]
    program = source("page.js", "charts.js")
    library = script(vl_convert.javascript_bundle())
    text = templates.get_template("index.html.jinja").render(
        policy=policy([library, program]),
        style=source("page.css", "parts.css"),
        library=library,
        program=program,
        specs=data_block(_specs(groups)),
        later=data_block(shelf.pieces),
        images=data_block(shelf.images()),
        profile_name=evidence.profile_name,
        headline=headline(evidence),
        mosaics=mosaics(evidence),
        counts=counts(comparisons),
        tables=shown,
        claims=claims,
        claims_legend=tables[-1].claims_legend,
        claims_said=claims_sentence(told),
        undecided=undecided(profile, comparisons, titles),
        groups=groups,
        looks=evidence.looks,
        quantities=list(dict.fromkeys(each.quantity for each in comparisons.cells)),
        sets=sets,
        galleries=galleries,
        figures=pictures,
        facts=run_facts(profile, results),
    )
    write_text(out, text)


def _put(
    templates: Environment, shelf: Shelf, name: str, title: str, template: str, **told: Any
) -> None:
    shelf.put(name, title, templates.get_template(template).render(told))


def _specs(groups: Sequence[Group]) -> dict[str, Any]:
    """Return the charts by the name of the place that they are drawn into."""
    return {
        f"{group.id}-{turn}": panel.spec
        for group in groups
        for turn, panel in enumerate(group.panels, 1)
    }
