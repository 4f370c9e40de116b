"""Texts and data as parts of an HTML document; whatever they hold, none of it becomes markup."""

import base64
import hashlib
import json
import math
from typing import Any

from markupsafe import Markup, escape

from topdb.reporting.documents import Code, Strong, Text
from topdb.reporting.rendering import DASH

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
