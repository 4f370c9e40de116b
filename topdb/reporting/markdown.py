"""Report tables as Markdown."""

import re
from collections.abc import Sequence

from topdb.reporting.documents import Code, Document, Entry, Strong, Text
from topdb.reporting.wording import DASH, claims, differences, reason, summary, verdict


def render_markdown(document: Document) -> str:
    """Return a table's whole document."""
    parts = [f"> {text(document.warning)}"] if document.warning else []
    parts += [f"# {escaped(document.title)}", text(document.answer), text(document.legend)]
    parts.append(_main(document))
    if document.claims:
        parts += [f"## {escaped(document.claims_title)}", text(document.claims_legend)]
        parts.append(_listing(*claims(document)))
        parts.append(
            "\n".join(
                f"- {escaped(line.claim.title)}: **{line.claim.verdict}**. "
                f"{escaped(reason(line, document.power))}"
                for line in document.claims
            )
        )
    if document.differences:
        parts += [f"## {escaped(document.differences_title)}", text(document.differences_legend)]
        parts.append(_listing(*differences(document)))
        parts += [text(each) for each in document.differences_floor]
    parts += ["## Notes", "\n".join(f"- {text(note)}" for note in document.notes)]
    return "\n\n".join(parts) + "\n"


def text(content: Text) -> str:
    """Return running text; code keeps its letters, and cannot leave its backticks."""
    found = []
    for part in content:
        if isinstance(part, Code):
            found.append(f"`{_code(part.text)}`")
        elif isinstance(part, Strong):
            found.append(f"**{escaped(part.text)}**")
        else:
            found.append(escaped(part))
    return "".join(found)


def escaped(content: str) -> str:
    """Keep a text from being read as Markdown or HTML, or from ending its cell or its line."""
    found = re.sub(r"&(?=[#\w]+;)", "&amp;", _one_line(content))
    found = found.replace("<", "&lt;").replace(">", "&gt;")
    found = re.sub(r"([\\`*|])", r"\\\1", found)
    # A bracket is an interval's end, but for what would make it a link.
    return re.sub(r"\](?=[(\[:])", r"\]", found)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of finished cells: the first column left-aligned, the others right-aligned."""
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _listing(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return table([*map(escaped, header)], [[*map(escaped, row)] for row in rows])


def _main(document: Document) -> str:
    header = ["Method", *(escaped(f"{c.title} {c.quantity}") for c in document.columns)]
    rows = []
    for block in document.blocks:
        rows.append([f"**{escaped(block.title)}**", *[""] * len(document.columns)])
        rows += [[escaped(line.name), *map(_entry, line.entries)] for line in block.lines]
    return table(header, rows)


def _entry(entry: Entry | None) -> str:
    if entry is None:
        return DASH
    place = "" if entry.place is None else f"<sub>{entry.place}</sub>"
    mark = "†" if entry.misprinted else ""
    judged = f"<br>{verdict(entry)}" if entry.verdict else ""
    return f"{summary(entry)}{place}{mark}{judged}"


def _code(content: str) -> str:
    """Return a text for between backticks."""
    return _one_line(content).replace("`", "'")


def _one_line(content: str) -> str:
    return re.sub(r"\s+", " ", content)
