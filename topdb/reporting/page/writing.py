"""`index.html` from the comparisons, the tables, the charts and the examples."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from topdb.config import Params
from topdb.evidence.answer import RENDERED, answer
from topdb.files import write_text
from topdb.reporting.documents import Document
from topdb.reporting.page.cells import RANKS, cell_id, details, open_cells
from topdb.reporting.page.charts import Group, chart_groups, looks
from topdb.reporting.page.claims import claim_table
from topdb.reporting.page.evidence import gather
from topdb.reporting.page.lists import read_galleries
from topdb.reporting.page.pictures import read_figure
from topdb.reporting.page.run_facts import run_facts
from topdb.reporting.page.text import data_block, minus, number, rich, script, source_hash
from topdb.reporting.rendering import difference, p_value
from topdb.reporting.tables import claim_lines
from topdb.reporting.titles import Titles
from topdb.results.comparisons import Comparisons
from topdb.results.scores import read_scores

_HERE = Path(__file__).parent / "templates"
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; script-src {scripts}"
)
"""Nothing is fetched from anywhere, and no script runs but the page's own."""
SIGNS = {
    "REPRODUCED": "✓",
    "EXCEEDS": "▲",
    "BELOW": "▼",
    "INCONCLUSIVE": "?",
    "INCOMPLETE": "…",
    "HOLDS": "✓",
    "FAILS": "✗",
    "OPEN": "?",
}
"""Beside each verdict's word, so that a table is read at a glance without colours."""


def write_page(
    params: Params,
    profile_name: str,
    results: Path,
    comparisons: Comparisons,
    titles: Titles,
    tables: Sequence[Document],
    examples: Path | None,
    figures: Sequence[Path],
    out: Path,
) -> None:
    """Write the page; `comparisons` are of the whole grid. Equal input gives equal bytes.

    Raises
    ------
    UserError
        A file that the page needs is missing or broken.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    profile = params.selected(profile_name)
    reference = params.statistics_of(profile_name).reference_method
    evidence = gather(profile, results, read_scores(profile, results, params.metrics), comparisons, titles)
    groups = list(chart_groups(profile, reference, evidence, titles))
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"rich": rich, "number": number, "minus": minus, "p_value": p_value}
    scripts = [script(_bundle()), script((_HERE / "page.js").read_text(encoding="utf-8"))]
    text = environment.get_template("index.html.jinja").render(
        policy=_POLICY.format(scripts=" ".join(map(source_hash, scripts))),
        style=script((_HERE / "page.css").read_text(encoding="utf-8")),
        library=scripts[0],
        program=scripts[1],
        specs=data_block(_specs(groups)),
        profile=profile,
        profile_name=profile_name,
        reference=titles.of(reference),
        rendered=RENDERED if comparisons.rendered else "",
        answer=answer(comparisons).removeprefix(RENDERED).strip(),
        tables=tables,
        claims=claim_table(claim_lines(profile, comparisons)),
        open_cells=open_cells(profile, comparisons, titles),
        checkpoints=comparisons.one_seed_parts,
        claim_titles={each.id: each.title for each in comparisons.claims},
        groups=groups,
        looks=looks(profile, titles),
        quantities=list(dict.fromkeys(each.quantity for each in comparisons.cells)),
        cells=list(details(profile, results, comparisons, titles)),
        galleries=read_galleries(examples, profile, reference, titles) if examples else (),
        figures=[read_figure(path) for path in figures],
        facts=run_facts(profile, results),
        ranks=RANKS,
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


def _bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script without imports."""
    import vl_convert

    return str(vl_convert.javascript_bundle())
