"""`index.html` from the comparisons, the tables, the plots and the examples."""

import base64
import hashlib
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image, UnidentifiedImageError

from topdb.errors import UserError
from topdb.evidence.answer import answer, notice
from topdb.files import write_text
from topdb.metrics import metrics
from topdb.reporting.documents import Code, Document, Strong, Text
from topdb.reporting.drawing import for_page
from topdb.reporting.evidence import Evidence
from topdb.reporting.figures import figure, plot_names
from topdb.reporting.page.cells import cell_id, claim_table, details, open_cells, run_facts
from topdb.reporting.page.lists import read_galleries
from topdb.reporting.plots import Plot
from topdb.reporting.rendering import DASH, difference, p_value, rounded_up
from topdb.reporting.tables import claim_lines

MINUS = "\u2212"


def rich(text: Text) -> Markup:
    """Return a line of running text."""
    pieces = []
    for part in text:
        if isinstance(part, Code):
            pieces.append(Markup("<code>{}</code>").format(part.text))
        elif isinstance(part, Strong):
            pieces.append(Markup("<strong>{}</strong>").format(part.text))
        else:
            pieces.append(escape(part))
    return Markup("").join(pieces)


def number(value: float | None, form: str = ".1f") -> str:
    """Return a number in the given form; a dash where there is none."""
    return DASH if value is None or math.isnan(value) else minus(format(value, form))


def minus(text: str) -> str:
    """Return numbers with the sign that is as wide as a plus."""
    return text.replace("-", MINUS)


def data_block(content: Any) -> Markup:
    """Return JSON for a `<script type="application/json">`, which no text within it can end."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def script(source: str) -> Markup:
    """Return our own or a library's JavaScript for a `<script>`, which it must not end."""
    return Markup(source.replace("</script", "<\\/script").replace("<!--", "<\\!--"))


def source_hash(source: Markup) -> str:
    """Return what a Content-Security-Policy calls a script that it lets run."""
    digest = hashlib.sha256(str(source).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


WIDEST = 1440
"""Pixels; enough for the page's column on a dense screen."""
_CAPTIONS = {
    "figure2": "Figure 2. Input, activation map over it, and drop mask of chosen queries.",
    "figure3": (
        "Figure 3. The same query by the baseline and by Top-DB-Net during training: activation "
        "maps and the nearest gallery images, right and wrong ones marked."
    ),
}


@dataclass(frozen=True)
class Figure:
    """An image with its size, in pixels, and its caption."""

    source: str
    """A `data:` address."""
    width: int
    height: int
    caption: str


def read_figure(path: Path) -> Figure:
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
        source=f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}",
        width=image.width,
        height=image.height,
        caption=_CAPTIONS.get(path.stem, path.stem),
    )


_HERE = Path(__file__).parent / "templates"
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; script-src {scripts}"
)
"""Nothing is fetched from anywhere, and no script runs but the page's own."""
FURNITURE = 46
"""Pixels that an axis with its title takes below a panel."""
SIGNS = {
    "REPRODUCED": "✓",
    "EXCEEDS": "▲",
    "BELOW": "▼",
    "INCONCLUSIVE": "?",
    "INCOMPLETE": "…",
    "HOLDS": "✓",
    "FAILS": "✗",
    "OPEN": "?",
    "EXPLORATORY": "?",
}
"""Beside each verdict's word, so that a table is read at a glance without colours."""


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
                spec,
                spec["height"] + FURNITURE,
            )
            for dataset, spec in specs.items()
            if spec
        )
        if panels:
            groups.append(Group(name, plot, panels))
    return groups


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
    groups = plot_groups(evidence)
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"rich": rich, "number": number, "minus": minus, "p_value": p_value}
    environment.filters["rounded_up"] = rounded_up
    program = (_HERE / "page.js").read_text(encoding="utf-8")
    scripts = [script(vl_convert.javascript_bundle()), script(program)]
    text = environment.get_template("index.html.jinja").render(
        policy=_POLICY.format(scripts=" ".join(map(source_hash, scripts))),
        style=script((_HERE / "page.css").read_text(encoding="utf-8")),
        library=scripts[0],
        program=scripts[1],
        specs=data_block(_specs(groups)),
        profile=profile,
        profile_name=evidence.profile_name,
        reference=titles.of(reference),
        notice=notice(comparisons),
        rendered=comparisons.rendered,
        answer=answer(comparisons).replace(notice(comparisons), "").strip(),
        tables=tables,
        claims=claim_table(claim_lines(profile, comparisons)),
        open_cells=open_cells(profile, comparisons, titles),
        checkpoints=comparisons.one_seed_parts,
        claim_titles={each.id: each.title for each in comparisons.claims},
        groups=groups,
        looks=evidence.looks,
        quantities=list(dict.fromkeys(each.quantity for each in comparisons.cells)),
        cells=list(details(profile, results, comparisons, titles)),
        galleries=read_galleries(examples, profile, reference, titles) if examples else (),
        figures=[read_figure(path) for path in figures],
        facts=run_facts(profile, results),
        metrics=metrics().values(),
        signs=SIGNS,
        cell_id=cell_id,
        difference=difference,
        dataset_title=type(profile).title,
    )
    write_text(out, text)


def _specs(groups: Sequence[Group]) -> dict[str, Any]:
    """Return the charts by the name of the place that they are drawn into."""
    return {
        f"{group.id}-{turn}": panel.spec
        for group in groups
        for turn, panel in enumerate(group.panels, 1)
    }
