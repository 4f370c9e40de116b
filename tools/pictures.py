"""Takes the pictures for README.md and docs/, out of the reports and runs of the mini profile.

`make all` writes what they show. Pages are photographed by a Chromium without a window, which is
driven as in the tests.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import browser  # noqa: E402 (it lies beside the tests)

WIDTH, HEIGHT = 1280, 800
RUNS = Path("results/mini/market1501")
IMAGES = Path("data/mini/market1501")
PICTURES = {
    "page.png": ("report", ""),
    "lists.png": ("report", "#lists"),
    "comparison.png": ("comparison", ""),
}
"""By name: the page, and what of it stands at the top of the window."""


def take(tab: Any, pages: Mapping[str, Path], folder: Path) -> None:
    """Write every picture into a folder."""
    for name, (page, selector) in PICTURES.items():
        tab.open(pages[page], WIDTH, HEIGHT)
        tab.wait("!document.querySelector('[data-chart]:not(:has(svg))')")
        if selector:
            if not tab.run(f"Boolean(document.querySelector({selector!r}))"):
                raise SystemExit(f"{pages[page]} has no {selector}: write it again (`make all`).")
            tab.run(f"document.querySelector({selector!r}).scrollIntoView({{behavior: 'instant'}})")
            tab.wait(f"!document.querySelector({selector + ' [data-soon]'!r})")
        tab.wait("[...document.images].every((each) => each.complete)")
        tab.screenshot(folder / name)


def compared(folder: Path) -> Path:
    """Compare two methods of the grid, with their images; return the page."""
    command = ["topdb", "compare", str(RUNS / "baseline"), str(RUNS / "top-db-net")]
    command += ["--out", str(folder), "--images", str(IMAGES)]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder / "index.html"


def main() -> None:
    """Write every picture into docs/."""
    if not browser.PROGRAM:
        raise SystemExit("no Chromium: apt-get install chromium")
    report = ROOT / "reports/index.html"
    if not report.is_file():
        raise SystemExit("no reports/index.html to take pictures of: run `make all` first.")
    with tempfile.TemporaryDirectory() as folder:
        pages = {"report": report, "comparison": compared(Path(folder, "comparison"))}
        with browser.chromium(Path(folder, "profile")) as tab:
            take(tab, pages, ROOT / "docs")
    print("\n".join(f"docs/{name}" for name in PICTURES))


if __name__ == "__main__":
    main()
