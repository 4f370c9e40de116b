"""The page in a real Chromium."""

import re
from itertools import pairwise

import pytest
from browser import chromium, needs_chromium
from page_grid import Grid
from page_project import HOSTILE
from PIL import Image

pytestmark = needs_chromium
DRAWN = "document.documentElement.dataset.drawn === 'true'"
PHONE = (390, 844)
HEAVIEST = 5_000_000
"""Bytes."""
SLOWEST = 0.5
"""Seconds until it is loaded from disk."""


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


@pytest.fixture(scope="module")
def page(real):
    figure = real.folder / "figure2.png"
    Image.new("RGB", (2000, 300), "white").save(figure)
    return real.page(figures=[figure])


@pytest.fixture(scope="module")
def wide_page(wide):
    return wide.page()


def shown(tab, page, **how):
    tab.open(page, **how)
    tab.wait(DRAWN)


def unfold(tab):
    """Open all that is folded, which fills what is kept for later."""
    tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    tab.run("document.querySelectorAll('[data-soon]').forEach((each) => each.scrollIntoView())")
    tab.wait("document.querySelectorAll('[data-later]').length === 0")
    tab.run("scrollTo(0, 0)")


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
    unfold(tab)
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
        "  place.ariaLabel]; })"
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


def blocks(tab, table):
    return tab.run(
        f"[...document.querySelectorAll('.results')[{table}].tBodies].map((body) =>"
        " [...body.rows].slice(1).map((row) => row.cells[0].textContent))"
    )


def values(tab, table, column):
    return tab.run(
        f"[...document.querySelectorAll('.results')[{table}].tBodies].map((body) =>"
        f" [...body.rows].slice(1).map((row) => row.cells[{column}].dataset.value)"
        " .filter(Boolean).map(Number))"
    )


@pytest.mark.parametrize("table", [0, 1])  # the first table as measured, and as published
def test_a_column_sorts_by_keyboard_within_each_block_and_back(tab, page, table):
    shown(tab, page)
    unfold(tab)
    original = blocks(tab, table)
    assert original[0]
    head = f"document.querySelectorAll('.results')[{table}].querySelector('th[data-column=\"1\"]')"
    tab.run(f"{head}.querySelector('button').focus()")
    orders = []
    for _ in range(3):
        tab.press("Enter", 13, "\r")
        orders.append((tab.run(f"{head}.ariaSort"), values(tab, table, 1)))
    (first, falling), (second, rising), (third, _) = orders
    assert (first, second, third) == ("descending", "ascending", "none")
    assert falling == [sorted(block, reverse=True) for block in falling]
    assert rising == [sorted(block) for block in rising]
    assert falling != rising
    assert blocks(tab, table) == original


def pressed(tab, selector):
    """Focus what is chosen by a selector, press Enter, and return what the dialog says."""
    tab.run(f"document.querySelector('{selector}').focus()")
    tab.press("Enter", 13, "\r")
    assert tab.run("document.querySelectorAll('dialog[open]').length") == 1
    assert tab.run("document.querySelector('dialog[open]').contains(document.activeElement)")
    text = tab.run("document.querySelector('dialog[open]').innerText")
    tab.press("Escape", 27)
    assert tab.run("document.querySelectorAll('dialog[open]').length") == 0
    assert tab.run(f"document.activeElement === document.querySelector('{selector}')")
    return text


@pytest.mark.parametrize(
    ("selector", "told"),
    [
        (".value", ["3 of 3 seeds", "Published 85.2", "weights of b"]),
        ("button.square", ["3 of 3 seeds", "Published 85.2"]),
        (".claims .opens", ["Top-DB-Net minus Baseline, mAP", "p over seeds and people", "source"]),
        (".results .opens", ["protocol", "single query", "12,936", "Its ranked lists"]),
    ],
    ids=["cell", "square", "claim", "data set"],
)
def test_what_opens_does_so_by_keyboard_and_gives_the_focus_back(tab, page, selector, told):
    shown(tab, page)
    text = pressed(tab, selector)
    for each in told:
        assert each in text


def test_a_data_set_leads_to_its_ranked_lists(tab, page):
    shown(tab, page)
    tab.run("document.querySelectorAll('main details').forEach((each) => { each.open = false; })")
    tab.run("document.querySelector('.results .opens').click()")
    tab.run("document.querySelector('dialog [data-unfold]').click()")
    assert tab.run("document.querySelectorAll('dialog[open]').length") == 0
    tab.wait("document.querySelectorAll('#lists-market1501 .tile').length > 5")


def test_an_image_is_enlarged_and_leads_on_to_the_next(tab, page):
    shown(tab, page)
    unfold(tab)
    before = tab.run("document.querySelector('.tile img').clientHeight")
    text = pressed(tab, ".ranked .tile")
    assert "Query" in text
    tab.run("document.querySelectorAll('.ranked .tile')[1].click()")
    named = "document.querySelector('#sheet figure:last-child strong').textContent"
    assert tab.run(named).startswith("Rank 1, ")
    assert tab.run("document.querySelector('#sheet img').clientHeight") > 2 * before
    tab.run("document.querySelector('.steps button:last-child').focus()")
    tab.press("Enter", 13, "\r")
    assert tab.run(named).startswith("Rank 2, ")
    assert tab.run("document.activeElement.textContent") == "Next ›"
    for _ in range(3):
        tab.press("Enter", 13, "\r")
    assert tab.run(named).startswith("Rank 5, ")  # the last one of five
    assert tab.run("document.activeElement.textContent") == "Close"


def test_arrows_lead_through_a_table_that_is_one_stop(tab, page):
    shown(tab, page)
    table = "document.querySelector('.results')"
    assert (
        tab.run(f"[...{table}.querySelectorAll('button')].filter((b) => !b.tabIndex).length") == 1
    )
    cells = f"[...{table}.querySelectorAll('.value')]"
    tab.run(f"{cells}[0].focus()")
    for key, code, at in (("ArrowRight", 39, 1), ("ArrowDown", 40, 3), ("ArrowLeft", 37, 2)):
        tab.press(key, code)
        assert tab.run(f"{cells}.indexOf(document.activeElement)") == at, key
    assert (
        tab.run(f"[...{table}.querySelectorAll('button')].filter((b) => !b.tabIndex).length") == 1
    )


def test_a_legends_entry_leaves_its_method_alone(tab, page):
    shown(tab, page)
    faint = (
        "[...document.querySelectorAll('[data-chart=seeds-1] .mark-symbol path')]"
        ".filter((mark) => mark.getAttribute('opacity') < 0.5).length"
    )
    assert tab.run(faint) == 0
    entry = "document.querySelector('[data-only=\"Top-DB-Net\"]')"
    tab.run(f"{entry}.click()")
    tab.wait(f"{faint} > 0")
    assert tab.run(f"{entry}.ariaPressed") == "true"
    assert tab.run("document.querySelectorAll('[data-only][aria-pressed=true]').length") == 1
    tab.run(f"{entry}.click()")
    tab.wait(f"{faint} === 0")


WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@pytest.mark.parametrize("width", [390, 1280])
def test_fourteen_methods_scroll_downwards_only(tab, wide_page, width):
    shown(tab, wide_page, width=width, height=844)
    unfold(tab)
    whole, seen = tab.run(WIDTHS)
    assert whole <= seen
    for selector in (".value", ".claims .opens", ".results .opens", ".tile"):
        tab.run(f"document.querySelector('{selector}').click()")
        whole, seen = tab.run(WIDTHS)
        assert whole <= seen, selector
        assert tab.run("sheet.scrollWidth <= sheet.clientWidth"), selector
        tab.run("sheet.close()")


def test_fourteen_methods_fit_a_desk_and_fade_on_a_phone(tab, wide_page):
    boxes = (
        "[...document.querySelectorAll('.scroll:has(> .measured)')].map((box) =>"
        " [box.scrollWidth > box.clientWidth, box.classList.contains('more')])"
    )
    shown(tab, wide_page)
    tab.wait(f"{boxes}.length === 2")
    assert tab.run(boxes) == [[False, False]] * 2
    shown(tab, wide_page, width=PHONE[0], height=PHONE[1])
    assert tab.run(boxes) == [[True, True]] * 2
    box = "document.querySelector('.scroll:has(> .measured)')"
    tab.run(f"{box}.scrollTo(9999, 0)")
    tab.wait(f"!{box}.classList.contains('more')")
    first = f"{box}.querySelector('tbody th[scope=row]')"
    assert tab.run(f"{first}.getBoundingClientRect().left >= {box}.getBoundingClientRect().left")


def test_a_finger_hits_what_can_be_touched(tab, wide_page):
    """WCAG 2.2, 2.5.8: 24 by 24 pixels; links within a sentence may be smaller."""
    shown(tab, wide_page, width=PHONE[0], height=PHONE[1])
    unfold(tab)
    small = tab.run(
        "[...document.querySelectorAll('button, summary, label, nav a')].filter((each) => {"
        " const box = each.getBoundingClientRect();"
        " return box.width && (box.width < 23.9 || box.height < 23.9); })"
        ".map((each) => each.outerHTML.slice(0, 120))"
    )
    assert small == []


def test_a_page_of_fourteen_methods_is_there_at_once(tab, wide_page):
    """In seconds of the page's own thread: what else the machine does is no part of it.

    Plots are drawn when the page is idle, which this one never is.
    """
    assert wide_page.stat().st_size <= HEAVIEST
    busy = tab.send(
        "Page.addScriptToEvaluateOnNewDocument", source="requestIdleCallback = () => {}"
    )
    tab.send("Performance.enable", timeDomain="threadTicks")
    times = []
    for _ in range(3):
        tab.open(wide_page)
        times.append(seconds(tab))
    tab.send("Performance.disable")
    tab.send("Page.removeScriptToEvaluateOnNewDocument", **busy)
    assert 0 < min(times) <= SLOWEST, times


def seconds(tab):
    """What the thread has worked for this page, which every page counts anew."""
    told = tab.send("Performance.getMetrics")["metrics"]
    return next(each["value"] for each in told if each["name"] == "TaskDuration")


@pytest.mark.soak
@pytest.mark.parametrize("seeds", [5, 12])
def test_more_seeds_weigh_and_wait_no_longer(tab, tmp_path, seeds):
    page = Grid(tmp_path, rendered=False, seeds=seeds).page()
    test_a_page_of_fourteen_methods_is_there_at_once(tab, page)


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
    assert tab.run("document.querySelectorAll('main [data-later]').length") == 0
    assert tab.run("document.querySelectorAll('main details:not([open])').length") > 0


def test_a_name_is_never_markup(tab, page):
    shown(tab, page)
    assert tab.run("document.querySelectorAll('img[src=x]').length") == 0
    assert tab.run("document.title").startswith("Do the results of Top-DB-Net hold?")
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
    assert lines[0].startswith("Rendered data.")
    assert "It has no answer about the paper yet." in lines
    assert "REPRODUCED" not in tab.run("document.body.innerText")
    assert tab.errors == []
