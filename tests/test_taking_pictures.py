"""The pictures of the documents are those that `make pictures` takes."""

import importlib.util
import re

import pytest
import tiny
from browser import chromium, needs_chromium
from PIL import Image

SPECIFICATION = importlib.util.spec_from_file_location("pictures", tiny.ROOT / "tools/pictures.py")
pictures = importlib.util.module_from_spec(SPECIFICATION)
SPECIFICATION.loader.exec_module(pictures)


def test_every_picture_that_a_document_shows_is_taken_and_there():
    shown = set()
    for page in (tiny.ROOT / "README.md", *(tiny.ROOT / "docs").glob("*.md")):
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page}: {target}"
            shown.add((page.parent / target).relative_to(tiny.ROOT / "docs").as_posix())
    assert shown
    assert shown <= set(pictures.PICTURES)


@needs_chromium
def test_pictures_show_pages_and_parts_of_them(tmp_path):
    report, comparison = tmp_path / "report.html", tmp_path / "comparison.html"
    tall = "<div style='background: {}; height: 2000px' id={}></div>"
    report.write_text(
        f"<style>body {{margin: 0}}</style>{tall.format('red', 'a')}{tall.format('lime', 'lists')}"
    )
    comparison.write_text("<body style='background: blue'>")
    pages = {"report": report, "comparison": comparison}
    with chromium(tmp_path / "profile") as tab:
        pictures.take(tab, pages, tmp_path)
        with pytest.raises(SystemExit, match="has no #lists: write it again"):
            pictures.take(tab, {**pages, "report": comparison}, tmp_path / "profile")
    colours = {"page.png": (255, 0, 0), "lists.png": (0, 255, 0), "comparison.png": (0, 0, 255)}
    for name, colour in colours.items():
        with Image.open(tmp_path / name) as image:
            assert image.convert("RGB").getpixel((640, 400)) == colour
            assert image.size == (pictures.WIDTH, pictures.HEIGHT)
