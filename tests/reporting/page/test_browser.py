"""The page in a real Chromium."""

import re
from itertools import pairwise

import pytest
from browser import chromium, needs_chromium
from page_project import HOSTILE
from PIL import Image

pytestmark = needs_chromium
DRAWN = "document.documentElement.dataset.drawn === 'true'"
PHONE = (390, 844)


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


@pytest.fixture(scope="module")
def page(real):
    figure = real.folder / "figure2.png"
    Image.new("RGB", (2000, 300), "white").save(figure)
    return real.page(figures=[figure])


def shown(tab, page, **how):
    tab.open(page, **how)
    tab.wait(DRAWN)


def test_it_loads_without_a_complaint_and_asks_nobody_for_anything(tab, page):
    shown(tab, page)
    assert tab.errors == []
    assert [url for url in tab.requests if not url.startswith("data:")] == [page.as_uri()]
    assert tab.run("performance.getEntriesByType('resource').length") == 0


def test_no_script_runs_but_the_pages_own(tab, page):
    shown(tab, page)
    tab.run(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'window.foreign = true'}))"
    )
    assert tab.run("window.foreign") is None
    assert any("Content Security Policy" in error for error in tab.errors)


def test_every_image_shows(tab, page):
    shown(tab, page)
    tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    broken = "[...document.images].filter((image) => !(image.complete && image.naturalWidth > 0))"
    tab.wait(f"{broken}.length === 0")
    assert tab.run("document.images.length") > 20
    assert tab.run("[...document.images].every((each) => each.alt && each.width && each.height)")


def test_every_chart_is_drawn_and_fits_its_place(tab, page):
    shown(tab, page)
    charts = tab.run(
        "[...document.querySelectorAll('.chart')].map((place) => {"
        " const picture = place.querySelector('svg');"
        " return [place.clientHeight, picture.getBoundingClientRect().height,"
        "  picture.getAttribute('aria-label')]; })"
    )
    assert len(charts) == 6
    for height, drawn, label in charts:
        assert height - 30 < drawn <= height
        assert HOSTILE in label


def test_a_chart_fills_its_place_and_leaves_legends_to_the_page(tab, page):
    shown(tab, page)
    assert tab.run("document.querySelectorAll('.chart .role-legend').length") == 0
    shares = tab.run(
        "[...document.querySelectorAll('.chart')].map((place) =>"
        " place.querySelector('.role-axis-domain, .role-axis').getBoundingClientRect().width"
        " / place.clientWidth)"
    )
    assert all(share > 0.5 for share in shares)


def test_controls_change_the_charts(tab, page):
    shown(tab, page)
    marks = (
        "[...document.querySelectorAll('[data-chart=seeds-1] .mark-symbol path')]"
        ".map((mark) => mark.getAttribute('transform')).join()"
    )
    before = tab.run(marks)
    tab.run("document.querySelector('input[value=R1]').click()")
    tab.wait(f"{marks} !== {before!r}")


def names(tab, block):
    return tab.run(
        f"[...document.querySelectorAll('.results')[1].tBodies[{block}].rows]"
        ".slice(1).map((row) => row.cells[0].textContent)"
    )


def values(tab, block, column):
    return tab.run(
        f"[...document.querySelectorAll('.results')[1].tBodies[{block}].rows].slice(1)"
        f".map((row) => row.cells[{column}].dataset.value).filter(Boolean).map(Number)"
    )


def test_a_column_sorts_by_keyboard_within_each_block_and_back(tab, page):
    shown(tab, page)
    original = [names(tab, block) for block in range(4)]
    head = "document.querySelectorAll('.results')[1].querySelector('th[data-column=\"1\"]')"
    tab.run(f"{head}.querySelector('button').focus()")
    orders = []
    for _ in range(3):
        tab.press("Enter", 13, "\r")
        orders.append((tab.run(f"{head}.ariaSort"), [values(tab, b, 1) for b in range(4)]))
    (first, falling), (second, rising), (third, _) = orders
    assert (first, second, third) == ("descending", "ascending", "none")
    assert falling == [sorted(block, reverse=True) for block in falling]
    assert rising == [sorted(block) for block in rising]
    assert falling != rising
    assert [names(tab, block) for block in range(4)] == original


def test_a_cell_opens_by_keyboard_and_gives_the_focus_back(tab, page):
    shown(tab, page)
    tab.run("document.querySelector('.results td button').focus()")
    tab.press("Enter", 13, "\r")
    assert tab.run("document.querySelectorAll('dialog[open]').length") == 1
    text = tab.run("document.querySelector('dialog[open]').innerText")
    assert "3 of 3 seeds" in text
    assert "Published 85.2" in text
    assert "weights of b" in text
    assert tab.run("document.querySelector('dialog[open]').contains(document.activeElement)")
    tab.press("Escape", 27)
    assert tab.run("document.querySelectorAll('dialog[open]').length") == 0
    assert tab.run("document.activeElement === document.querySelector('.results td button')")


@pytest.mark.parametrize("dialog", [False, True])
def test_a_phone_scrolls_downwards_only(tab, page, dialog):
    shown(tab, page, width=PHONE[0], height=PHONE[1])
    tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    if dialog:
        tab.run("document.querySelector('.results td button').click()")
    assert tab.run("document.documentElement.scrollWidth") == PHONE[0]
    box = "document.querySelector('.claims').parentElement"
    assert tab.run(f"{box}.scrollWidth > {box}.clientWidth")


def test_dark_mode_changes_the_page_and_its_charts(tab, page):
    colours = (
        "[getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.querySelector('.chart text')).fill,"
        " getComputedStyle(document.querySelector('.chart .mark-symbol path')).fill]"
    )
    shown(tab, page)
    light = tab.run(colours)
    tab.media(dark=True)
    dark = tab.run(colours)
    assert light[0] == "rgb(255, 255, 255)"
    assert all(a != b for a, b in zip(light, dark, strict=True))
    assert max(map(int, re.findall(r"\d+", dark[0]))) < 40


def test_nothing_moves_while_it_loads(tab, page):
    shown(tab, page)
    shift = tab.run(
        "new Promise((done) => { let sum = 0;"
        " new PerformanceObserver((list) => { for (const each of list.getEntries())"
        "  sum += each.value; }).observe({type: 'layout-shift', buffered: true});"
        " setTimeout(() => done(sum), 200); })"
    )
    assert shift < 0.01


def test_print_shows_what_is_folded_and_of_the_controls_what_is_chosen(tab, page):
    shown(tab, page, dark=True)
    tab.media(dark=True, kind="print")
    hidden = "getComputedStyle(document.querySelector('{}')).display"
    assert tab.run(hidden.format("nav")) == "none"
    labels = "[...document.querySelectorAll('.controls label')].filter((each) => each.offsetWidth)"
    assert tab.run(f"{labels}.map((each) => each.innerText.trim())") == ["mAP", "plain"]
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    tab.run(
        "addEventListener('beforeprint', () => queueMicrotask(() => {"
        " window.open_in_print = document.querySelectorAll('main details:not([open])').length;"
        " }))"
    )
    assert tab.pdf().startswith(b"%PDF")
    assert tab.run("window.open_in_print") == 0
    assert tab.run("document.querySelectorAll('main details:not([open])').length") > 0


def test_a_name_is_never_markup(tab, page):
    shown(tab, page)
    assert tab.run("document.querySelectorAll('img[src=x]').length") == 0
    assert tab.run("document.title").startswith("Does Top DropBlock reproduce?")
    text = tab.run("document.querySelector('main').textContent")
    assert text.count(HOSTILE) >= 5


def test_a_reader_without_eyes_or_mouse_finds_the_way(tab, page):
    shown(tab, page)
    assert tab.run("document.documentElement.lang") == "en"
    for landmark in ("header", "nav", "main", "h1"):
        assert tab.run(f"document.querySelectorAll('{landmark}').length") == 1
    levels = tab.run(
        "[...document.querySelectorAll('h1, main h2, main h3')]"
        ".map((each) => Number(each.tagName[1]))"
    )
    assert all(b - a <= 1 for a, b in pairwise(levels))
    ids = tab.run("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(set(ids)) == len(ids)
    tab.press("Tab", 9)
    assert tab.run("document.activeElement.className") == "skip"
    tab.press("Enter", 13, "\r")
    assert tab.run("document.activeElement.id") == "main"


def test_drawn_data_are_named_before_anything_else(tab, rendered):
    shown(tab, rendered.page())
    first = tab.run("document.body.innerText").splitlines()
    lines = [line for line in first if line.strip() and not line.startswith("Skip")]
    assert lines[0].startswith("Rendered data: nothing is compared with the paper.")
    assert "REPRODUCED" not in tab.run("document.body.innerText")
    assert tab.errors == []
