"""A document as Markdown, LaTeX or CSV: one template a format, and one way to escape.

Everything that a template puts into its text is escaped by the format's own rule, whatever it is.
The page has a template of its own for HTML (topdb/reporting/page).
"""

import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from topdb.metrics import metric
from topdb.reporting.documents import ClaimLine, Code, Document, Entry, Strong, Text, usual_seeds
from topdb.reporting.tidy import render_csv
from topdb.results.comparisons import ClaimComparison, ClaimPart, Difference
from topdb.statistics import CellVerdict

DASH = "–"
FORMATS = (".md", ".csv", ".tex")
LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"'{}",
    "`": r"`{}",
    # Not only what LaTeX reads as a command: letters that its standard fonts do not have.
    "–": "--",
    "±": r"$\pm$",
    "Δ": r"$\Delta$",
    "→": r"$\rightarrow$",
    "†": r"\textdagger{}",
    "[": "{[}",
    "]": "{]}",
}
SIGNS = {
    CellVerdict.REPRODUCED: "✓",
    CellVerdict.EXCEEDS: "▲",
    CellVerdict.BELOW: "▼",
    CellVerdict.INCONCLUSIVE: "?",
    CellVerdict.INCOMPLETE: "…",
}
"""Beside a value of a Markdown table, whose cells have no room for the words."""


def render(document: Document, suffix: str) -> str:
    """Return a document's whole content in the format of a suffix among `FORMATS`."""
    if suffix == ".csv":
        return render_csv(document)
    return _environment(suffix).get_template(f"table{suffix}.j2").render(document=document)


@cache
def _environment(suffix: str) -> Environment:
    """Return templates whose values are all escaped, but for what `text` has escaped."""
    escape, text = _RULES[suffix]
    # LaTeX is full of what begins an expression elsewhere.
    delimiters: dict[str, Any] = {
        "block_start_string": "<%",
        "block_end_string": "%>",
        "variable_start_string": "<<",
        "variable_end_string": ">>",
        "comment_start_string": "<#",
        "comment_end_string": "#>",
    }
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else Markup(escape(str(value))),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **(delimiters if suffix == ".tex" else {}),
    )
    environment.globals |= {
        "text": text,
        "summary": summary,
        "verdict": verdict,
        "reason": reason,
        "claims": claims,
        "differences": differences,
        "headings": headings,
        "seeds_told": seeds_told,
        "usual_seeds": usual_seeds,
        "beneath": beneath,
        "signed": signed,
        "signs": SIGNS,
    }
    return environment


def markdown(content: str) -> str:
    """Keep a text from being read as Markdown or HTML, or from ending its cell or its line."""
    found = re.sub(r"&(?=[#\w]+;)", "&amp;", _one_line(content))
    found = found.replace("<", "&lt;").replace(">", "&gt;")
    found = re.sub(r"([\\`*|])", r"\\\1", found)
    # A bracket is an interval's end, but for what would make it a link.
    return re.sub(r"\](?=[(\[:])", r"\]", found)


def latex(content: str) -> str:
    """Return a text that LaTeX sets as it stands; what its fonts lack is a question mark."""
    spaced = "".join(letter if letter.isprintable() else " " for letter in content)
    # T1 fonts have the letters of Latin-1.
    return "".join(LATEX.get(letter) or (letter if ord(letter) < 256 else "?") for letter in spaced)


def markdown_text(content: Text) -> Markup:
    """Return running text; code keeps its letters, and cannot leave its backticks."""
    pieces = []
    for part in content:
        if isinstance(part, Code):
            pieces.append("`" + _one_line(part.text).replace("`", "'") + "`")
        else:
            bold = "**" if isinstance(part, Strong) else ""
            pieces.append(bold + markdown(part.text if isinstance(part, Strong) else part) + bold)
    return Markup("".join(pieces))


def latex_text(content: Text) -> Markup:
    """Return running text."""
    pieces = []
    for part in content:
        if isinstance(part, str):
            pieces.append(latex(part))
        else:
            command = "texttt" if isinstance(part, Code) else "textbf"
            pieces.append(rf"\{command}{{{latex(part.text)}}}")
    return Markup("".join(pieces))


_RULES: dict[str, tuple[Callable[[str], str], Callable[[Text], Markup]]] = {
    ".md": (markdown, markdown_text),
    ".tex": (latex, latex_text),
}


def _one_line(content: str) -> str:
    return re.sub(r"\s+", " ", content)


def headings(document: Document) -> list[str]:
    """Return the header of the main table."""
    titles = (f"{each.title} {metric(each.quantity).title}" for each in document.columns)
    return ["Method", *titles]


def summary(entry: Entry, usual: int | None) -> str:
    """Return a value: alone if published, with its spread if measured.

    Its number of seeds stands beside it where that is not the usual one, which the caption says. A
    difference has its sign, and its interval.
    """
    if math.isnan(entry.value):
        return DASH
    if entry.low is not None and entry.high is not None:
        return _signed(entry.value, entry.low, entry.high)
    if entry.seeds is None:
        return f"{entry.value:.1f}"
    spread = "" if entry.sd is None else f" ± {entry.sd:.1f}"
    return f"{entry.value:.1f}{spread}" + (f" ({entry.seeds})" if entry.seeds != usual else "")


def verdict(entry: Entry) -> str:
    """Return an entry's verdict, and what stands beside it.

    The seeds of a new grid that would settle an open one, the smallest margin that would give
    REPRODUCED, and which runs are unlike the others or were added.
    """
    seeds = "" if entry.seeds_to_settle is None else f" ({entry.seeds_to_settle} seeds)"
    margin = "" if entry.smallest_delta is None else f", ±{rounded_up(entry.smallest_delta)}"
    marks = "; ".join(each for each in (entry.unstable, entry.extended) if each)
    return f"{entry.verdict}{seeds}{margin}{f' ({marks})' if marks else ''}".lstrip()


def beneath(entry: Entry) -> str:
    """Return what stands in small letters beneath an entry that is sign and value alone.

    The published value, the smallest margin that would give REPRODUCED, the seeds of a new grid
    that would settle it, and which runs are unlike the others or were added.
    """
    told = [
        "" if entry.published is None else f"{entry.published:.1f}",
        "" if entry.smallest_delta is None else f"±{rounded_up(entry.smallest_delta)}",
        "" if entry.seeds_to_settle is None else f"{entry.seeds_to_settle} seeds",
        entry.unstable,
        entry.extended,
    ]
    return ", ".join(filter(None, told))


def signed(document: Document) -> str:
    """Return what the signs beside values mean, of the verdicts that there are."""
    lines = [line for block in document.blocks for line in block.lines]
    given = {each.verdict for line in lines for each in line.entries if each}
    shown = [f"{sign} {verdict}" for verdict, sign in SIGNS.items() if verdict in given]
    return f" Verdicts: {', '.join(shown)}." if shown else ""


def rounded_up(margin: float) -> str:
    """Return a margin with one digit, which is not smaller than it is."""
    return f"{math.ceil(10 * margin - 1e-9) / 10:.1f}"


def reason(line: ClaimLine) -> str:
    """Return why a claim has its verdict, and whether its grid grew."""
    return f"{line.claim.reason}{f' ({line.claim.extended})' if line.claim.extended else ''}"


def difference(each: Difference | ClaimPart | ClaimComparison) -> str:
    """Return an estimate with its interval; a dash without runs."""
    return DASH if math.isnan(each.estimate) else _signed(each.estimate, each.low, each.high)


def _signed(value: float, low: float, high: float) -> str:
    interval = "" if math.isnan(low) else f" [{low:+.1f}, {high:+.1f}]"
    return f"{value:+.1f}{interval}"


def p_value(p: float) -> str:
    """Return a p value with as many digits as matter; a dash where there is none."""
    if math.isnan(p):
        return DASH
    return f"{p:.3f}" if p >= 0.001 else "<0.001"


def differences(document: Document) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table of differences.

    A column is left out where it says nothing: p (Holm) where `differences_floor` has a reason for
    each ranking, and the seeds where all rows have as many (`seeds_told`).
    """
    adjusted = len(document.differences_floor) < len(
        {line.differences[0].ranking for line in document.differences}
    )
    counted = not seeds_told(document)
    percent = f"{100 * document.confidence:g} %"
    header = ["Data set", "Method"]
    for quantity in dict.fromkeys(column.quantity for column in document.columns):
        header += [f"Δ {metric(quantity).title} [{percent}]", "p", *["p (Holm)"] * adjusted]
    rows = []
    for line in document.differences:
        row = [line.dataset, line.method]
        for each in line.differences:
            row += [difference(each), p_value(each.p), *[p_value(each.adjusted_p)] * adjusted]
        first = line.differences[0]
        rows.append([*row, *[f"{first.seeds}/{first.reference_seeds}"] * counted])
    return [*header, *["Seeds"] * counted], rows


def seeds_told(document: Document) -> str:
    """Return of how many seeds all differences are; empty where their rows say so themselves."""
    found = {
        (each.seeds, each.reference_seeds)
        for line in document.differences
        for each in line.differences
    }
    if len(found) != 1:
        return ""
    ((own, reference),) = found
    if own == reference:
        return f"{own} seeds of each method."
    return f"{own} seeds of each method, {reference} of the reference."


def claims(document: Document) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table of claims: a row a claim, then a column a data set."""
    percent = f"{100 * document.confidence:g} %"
    titles = {
        part.dataset: title
        for line in document.claims
        for part, title in zip(line.parts, line.datasets, strict=True)
    }
    header = ["Claim", "Verdict", "p", "adjusted p"]
    header += [f"{title} Δ [{percent}]" for title in titles.values()]
    pooled = any(line.claim.estimate == line.claim.estimate for line in document.claims)
    header += [f"Mean Δ [{percent}]"] * pooled
    rows = []
    for line in document.claims:
        parts = {part.dataset: part for part in line.parts}
        claim = line.claim
        row = [claim.title, claim.verdict, p_value(claim.p), p_value(claim.adjusted_p)]
        row += [difference(parts[name]) if name in parts else DASH for name in titles]
        rows.append(row + [difference(claim)] * pooled)
    return header, rows
