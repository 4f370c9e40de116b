"""A hook of MkDocs: the site has the repository's own folders, so that every link stays as it is.

README.md is its first page. A page or file outside docs/ is there if a page links to it.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Return the theme's files, docs/ under that name, and all that its pages lead to."""
    docs = Path(config.docs_dir)
    kept = [each for each in files if docs not in Path(each.abs_src_path or "").parents]
    waiting = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    found: dict[str, File] = {}
    while waiting:
        path = waiting.pop().resolve()
        uri = path.relative_to(ROOT).as_posix()
        if uri in found or not path.is_file():
            continue  # what is missing MkDocs itself complains of
        found[uri] = File.generated(config, uri, abs_src_path=str(path))
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            waiting += [path.parent / each for each in LINK.findall(text)]
    return Files([*kept, *(found[uri] for uri in sorted(found))])
