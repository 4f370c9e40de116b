"""axe-core, which looks for what shuts readers out of a page."""

import importlib.util
from pathlib import Path

import pytest
from browser import Tab

_FOUND = importlib.util.find_spec("axe_core_python")
needs_axe = pytest.mark.skipif(_FOUND is None, reason="no axe-core (pip install axe-core-python)")
SERIOUS = ("serious", "critical")


def findings(tab: Tab, within: str = "html") -> list[str]:
    """What axe finds in the page that is shown, a line each: serious and critical ones alone."""
    assert _FOUND
    assert _FOUND.origin
    source = (Path(_FOUND.origin).parent / "axe.min.js").read_text(encoding="utf-8")
    tab.run(f"{source}; 0")
    found = tab.run(
        "axe.run(document, {resultTypes: ['violations']}).then((all) => all.violations)"
    )
    return [
        f"{each['id']}: {node['target']} {node['html'][:160]}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]
