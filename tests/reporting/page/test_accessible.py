"""What shuts readers out, by axe-core: none of it, in both schemes, with every part unfolded."""

import pytest
from axe import findings, needs_axe
from browser import chromium, needs_chromium
from page_project import Study

pytestmark = [needs_chromium, needs_axe]
OPENERS = (".value", ".claims .opens", ".results .opens", ".tile")


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


@pytest.mark.parametrize(
    ("study", "width", "dark"),
    [
        ("real", 1280, False),
        ("real", 390, True),
        ("rendered", 1280, True),
        ("rendered", 390, False),
    ],
)
def test_nothing_serious_is_found(tab, request, study, width, dark):
    made: Study = request.getfixturevalue(study)
    tab.open(made.page(), width=width, dark=dark)
    tab.wait("document.documentElement.dataset.drawn === 'true'")
    tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    tab.run("document.querySelectorAll('[data-soon]').forEach((each) => each.scrollIntoView())")
    tab.wait("document.querySelectorAll('[data-later]').length === 0")
    assert findings(tab) == []
    for selector in OPENERS:
        tab.run(f"document.querySelector('{selector}').click()")
        assert findings(tab, "#sheet") == [], selector
        tab.run("sheet.close()")
