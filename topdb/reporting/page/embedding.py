"""What the one file is made of: texts escaped, scripts by their hash, content for later."""

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from topdb.reporting.documents import Code, Strong, Text
from topdb.reporting.rendering import DASH, p_value

TEMPLATES = Path(__file__).parent / "templates"
MINUS = "\u2212"
POLICY = (
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
    "EXPLORATORY": "–",
}
"""Beside each verdict's word, so that a table is read at a glance without colours."""


class Shelf:
    """What the file keeps for later: markup by name, and every image once.

    A browser neither lays out nor decodes what stands here before a reader asks for it.
    """

    def __init__(self) -> None:
        self.pieces: dict[str, tuple[str, str]] = {}
        """By name: a title, and markup."""
        self._images: dict[bytes, int] = {}

    def put(self, name: str, title: str, markup: str) -> None:
        """Keep markup under a name that an element's `data-open` or `data-later` gives."""
        self.pieces[name] = (title, markup)

    def image(self, content: bytes) -> int:
        """Keep a WebP image; return the number that an image's `data-image` gives."""
        return self._images.setdefault(content, len(self._images))

    def images(self) -> list[str]:
        """Return the images in base64, in the order of their numbers."""
        return [base64.b64encode(content).decode() for content in self._images]


def environment() -> Environment:
    """Return the templates, which escape every value."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"rich": rich, "number": number, "minus": minus, "p_value": p_value}
    found.globals["signs"] = SIGNS
    return found


def source(*names: str) -> Markup:
    """Return files among the templates, one after the other, for a `<script>` or a `<style>`."""
    return script("\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names))


def policy(scripts: Sequence[Markup]) -> str:
    """Return the Content-Security-Policy of a page that runs these scripts alone."""
    return POLICY.format(scripts=" ".join(map(source_hash, scripts)))


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


def script(text: str) -> Markup:
    """Return our own or a library's JavaScript for a `<script>`, which it must not end."""
    return Markup(text.replace("</script", "<\\/script").replace("<!--", "<\\!--"))


def source_hash(text: Markup) -> str:
    """Return what a Content-Security-Policy calls a script that it lets run."""
    digest = hashlib.sha256(str(text).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
