"""The documentation site is built without a warning, has every page, and fetches nothing."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ["README", *(f"docs/{path.stem}" for path in sorted((ROOT / "docs").glob("*.md")))]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    if not find_spec("mkdocs") or not find_spec("material"):
        pytest.skip("no MkDocs (`make site` installs it)")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_every_file_is_a_page_that_the_menu_and_the_search_know(page, site):
    place = "" if page == "README" else f"{page}/"
    assert (site / place / "index.html").is_file()
    start = (site / "index.html").read_text(encoding="utf-8")
    assert f'href="{place or "."}"' in start
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))
    assert any(each["location"] == place for each in index["docs"])


def test_pages_outside_docs_are_there_and_links_lead_to_them(site):
    text = (site / "docs/cluster/index.html").read_text(encoding="utf-8")
    assert (site / "benchmarks/slurm/index.html").is_file()
    assert '"../../benchmarks/slurm/"' in text
    assert (site / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_every_style_and_script_of_a_page_is_there(site):
    for page in (site / "index.html", site / "docs/cluster/index.html"):
        text = page.read_text(encoding="utf-8")
        named = re.findall(r'<(?:script|link rel="stylesheet")[^>]* (?:src|href)="([^"]+)"', text)
        named += re.findall(r'<link rel="stylesheet" href="([^"]+)"', text)
        assert any(each.endswith(".css") for each in named)
        assert any(each.endswith(".js") for each in named)
        for each in named:
            assert (page.parent / each).is_file(), each


def test_no_page_fetches_from_elsewhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r'<(?:script|img|link)\b[^>]*(?:src|href)="(https?:[^"]*)"', text)
        assert not fetched, page
