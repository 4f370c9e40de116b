r"""Report tables as LaTeX, to be read by \input; they need booktabs and graphicx."""

from collections.abc import Sequence

from topdb.reporting.documents import Code, Document, Entry, Strong, Text
from topdb.reporting.wording import DASH, claims, differences, reason, summary, verdict

ESCAPES = {
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
    "†": r"\textdagger{}",
    "[": "{[}",
    "]": "{]}",
}


def render_latex(document: Document) -> str:
    """Return a table's whole content as an excerpt of a LaTeX document."""
    parts = [
        rf"% {document.name}.tex: read by \input; the preamble needs",
        r"% \usepackage[T1]{fontenc} \usepackage{booktabs} \usepackage{graphicx}",
        _float(
            _main(document),
            [
                *([document.warning] if document.warning else []),
                (document.title.rstrip(".") + ". ",),
                document.answer,
                (" ",),
                document.legend,
            ],
            f"tab:{document.name}",
        ),
    ]
    if document.claims:
        reasons = [
            (
                f"{line.claim.title}: ",
                Strong(line.claim.verdict),
                f". {reason(line, document.power)}",
            )
            for line in document.claims
        ]
        caption = [(f"{document.claims_title}. ",), document.claims_legend]
        parts.append(_float(_listing(*claims(document)), caption, f"tab:{document.name}-claims"))
        parts.append(_items(reasons))
    if document.differences:
        caption = [(f"{document.differences_title}. ",), document.differences_legend]
        rows = _listing(*differences(document))
        parts.append(_float(rows, caption, f"tab:{document.name}-differences"))
        parts += [text(each) + "\n" for each in document.differences_floor]
    parts.append(_items(document.notes))
    return "\n".join(parts)


def text(content: Text) -> str:
    """Return running text."""
    found = []
    for part in content:
        if isinstance(part, Code):
            found.append(rf"\texttt{{{escaped(part.text)}}}")
        elif isinstance(part, Strong):
            found.append(rf"\textbf{{{escaped(part.text)}}}")
        else:
            found.append(escaped(part))
    return "".join(found)


def escaped(content: str) -> str:
    """Return a text that LaTeX sets as it stands; what its fonts lack is a question mark."""
    spaced = "".join(letter if letter.isprintable() else " " for letter in content)
    return "".join(ESCAPES.get(letter) or _letter(letter) for letter in spaced)


def _letter(letter: str) -> str:
    """A letter of Latin-1, which T1 fonts have, or a question mark."""
    return letter if ord(letter) < 256 else "?"


def _float(body: str, caption: Sequence[Text], label: str) -> str:
    return "\n".join(
        [
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{''.join(map(text, caption))}}}",
            rf"\label{{{label}}}",
            r"\resizebox{\textwidth}{!}{%",
            body + "%",
            "}",
            r"\end{table*}",
            "",
        ]
    )


def _tabular(header: Sequence[str], body: Sequence[str], alignment: str) -> str:
    lines = [
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        " & ".join(header) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines)


def _listing(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    body = [" & ".join(map(escaped, row)) + r" \\" for row in rows]
    return _tabular([*map(escaped, header)], body, "l" * 2 + "r" * (len(header) - 2))


def _main(document: Document) -> str:
    header = ["Method", *(escaped(f"{c.title} {c.quantity}") for c in document.columns)]
    body = []
    for number, block in enumerate(document.blocks):
        if number:
            body.append(r"\midrule")
        body.append(rf"\multicolumn{{{len(header)}}}{{l}}{{\textbf{{{escaped(block.title)}}}}} \\")
        for line in block.lines:
            body.append(" & ".join([escaped(line.name), *map(_entry, line.entries)]) + r" \\")
    return _tabular(header, body, "l" + "r" * (len(header) - 1))


def _entry(entry: Entry | None) -> str:
    if entry is None:
        return escaped(DASH)
    place = "" if entry.place is None else rf"\textsubscript{{{entry.place}}}"
    mark = escaped("†") if entry.misprinted else ""
    judged = rf" \textsc{{{escaped(verdict(entry).lower())}}}" if entry.verdict else ""
    return f"{escaped(summary(entry))}{place}{mark}{judged}"


def _items(lines: Sequence[Text]) -> str:
    found = [r"\begin{itemize}", *(rf"\item {text(line)}" for line in lines), r"\end{itemize}", ""]
    return "\n".join(found)
