"""Takes the pictures for README.md and docs/, out of the reports and runs of the mini profile.

`make all` writes what they show. Pages are photographed by a Chromium without a window, which is
driven as in the tests.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import browser  # noqa: E402 (it lies beside the tests)

WIDTH, HEIGHT = 1280, 800
RUNS = Path("results/mini/market1501")
IMAGES = Path("data/mini/market1501")


def above(tab: Any, selector: str) -> None:
    """Scroll until an element stands at the top of the window."""
    found = tab.run(f"Boolean(document.querySelector({selector!r}))")
    if not found:
        raise SystemExit(f"the page has no {selector}: write it again (`make all`).")
    tab.run(f"document.querySelector({selector!r}).scrollIntoView({{behavior: 'instant'}})")


def taken(tab: Any, reports: Path, comparison: Path) -> Iterator[str]:
    """Yield the name of each picture, when the tab shows it."""
    tab.open(reports / "index.html", WIDTH, HEIGHT)
    yield "page.png"
    above(tab, "#lists")
    yield "lists.png"
    tab.open(comparison / "index.html", WIDTH, HEIGHT)
    yield "comparison.png"


def compared(folder: Path) -> Path:
    """Compare two methods of the grid, with their images."""
    command = ["topdb", "compare", str(RUNS / "baseline"), str(RUNS / "top-db-net")]
    command += ["--out", str(folder), "--images", str(IMAGES)]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder


def main() -> None:
    """Write every picture into docs/."""
    if not browser.PROGRAM:
        raise SystemExit("no Chromium: apt-get install chromium")
    reports = ROOT / "reports"
    if not (reports / "index.html").is_file():
        raise SystemExit("no reports/index.html to take pictures of: run `make all` first.")
    with tempfile.TemporaryDirectory() as folder:
        comparison = compared(Path(folder, "comparison"))
        with browser.chromium(Path(folder, "profile")) as tab:
            for name in taken(tab, reports, comparison):
                tab.screenshot(ROOT / "docs" / name)
                print(f"docs/{name}")


if __name__ == "__main__":
    main()
