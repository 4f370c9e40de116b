"""What shuts readers out, by axe-core: none of it, in both schemes, with every part unfolded."""

import numpy as np
import pytest
import tiny
from axe import findings, needs_axe
from browser import chromium, needs_chromium
from page_project import Study
from PIL import Image

from topdb.models import compare
from topdb.reporting.page.own_models import write_models_page

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


@pytest.fixture(scope="module")
def models_page(tmp_path_factory):
    """The page of two models of four images, of which one ranks the wrong person first."""
    folder = tmp_path_factory.mktemp("models")
    names = {
        split: [f"{split}-{person}.png" for person in (1, 2)] for split in ("query", "gallery")
    }
    for turn, name in enumerate([*names["query"], *names["gallery"]]):
        Image.new("RGB", (64, 128), (60 * turn, 90, 120)).save(folder / name)
    files = [
        tiny.write_features(
            folder / f"{model}.npz",
            query_features=np.array([[0.1], [0.9]], np.float32),
            query_pids=np.array([1, 2]),
            query_camids=np.array([0, 0]),
            query_paths=np.array(names["query"]),
            gallery_features=np.array(gallery, np.float32),
            gallery_pids=np.array([1, 2]),
            gallery_camids=np.array([1, 1]),
            gallery_paths=np.array(names["gallery"]),
        )
        for model, gallery in (("good", [[0.0], [1.0]]), ("bad", [[1.0], [0.0]]))
    ]
    write_models_page(compare(files), folder / "index.html", folder)
    return folder / "index.html"


@pytest.mark.parametrize(("width", "dark"), [(1280, True), (390, False)])
def test_models_of_ones_own_are_shown_as_well(tab, models_page, width, dark):
    tab.open(models_page, width=width, dark=dark)
    tab.wait("[...document.images].every((each) => each.naturalWidth > 0)")
    assert tab.run("document.images.length") == 12
    assert findings(tab) == []
    assert tab.run("document.documentElement.scrollWidth") <= width
    tab.run("document.querySelectorAll('.tile')[1].click()")
    assert "rank 1, right" in tab.run("document.querySelector('dialog[open]').innerText")
    assert findings(tab, "#sheet") == []
    assert tab.errors == []
