"""Markdown tables."""

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column is left-aligned and whose others are right-aligned."""
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(escaped(cell) for cell in line) + " |" for line in lines)


def escaped(text: str) -> str:
    """Keep a cell's text from ending its cell or its line."""
    return text.replace("|", "\\|").replace("\n", " ")


def plain(text: str) -> str:
    """Keep a name from being read as HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def p_value(p: float) -> str:
    """Return a p value with as many digits as matter; a dash where there is none."""
    if p != p:
        return "–"
    return f"{p:.3f}" if p >= 0.001 else "<0.001"
