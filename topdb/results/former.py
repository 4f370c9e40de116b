"""Bundles of format 1: their published tables and parameters, as a paper's folder has them."""

import csv
import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from topdb.config.yaml_file import read_yaml
from topdb.errors import UserError
from topdb.limits import lines_of, read_text

ROWS = """table,row,method,ranking
table1,Baseline,baseline,plain
table1,no-drop Top-DB-Net,no-drop,plain
table1,no-reg Top-DB-Net,no-reg,plain
table1,Top-DB-Net,top-db-net,plain
table2,Top-DB-Net (Ours),top-db-net,plain
table2,Top-DB-Net+RK (Ours),top-db-net,rk
"""
"""Which printed row is of which method, in bundles of before there was a file that says so."""
TITLES = {
    "table1": "Table 1. Influence of the streams",
    "table2": "Table 2. Comparison with other methods",
}
BLOCKS = {
    "table1": ["Published (Quispe & Pedrini, ICPR 2020)"],
    "table2": ["Published", "Published, re-ranked (RK)"],
}
FORMER_FILES = ("claims.csv", "oddities.csv", *(f"{table}.csv" for table in TITLES))
"""Of `published/`, without which such a bundle is not complete."""
METRICS = ["mAP", "R1"]
_AUTHORS = re.compile(r"\s*\(([^()]*)\)\s*$")
"""The brackets at the end of a printed row: whose method it is, and of which year."""


def write_former_paper(published: Path, params: Path, folder: Path) -> None:
    """Write the folder of the one paper that such a bundle is about.

    Raises
    ------
    UserError
        A file is missing or broken.
    """
    shutil.copytree(published, folder)
    try:
        content = _paper(folder)
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError) as error:
        raise UserError(
            f"{published} is not readable ({error!r}): ask for another bundle."
        ) from None
    read: Any = read_yaml(params, "ask for a complete bundle")
    statistics = (read.get("statistics") if isinstance(read, dict) else None) or {}
    content["margins"] = statistics.get("delta", {"default": 1.0})
    content["families"] = statistics.get("families", {})
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    (folder / "paper.yaml").write_text(text, encoding="utf-8")


def _paper(folder: Path) -> dict[str, Any]:
    rows = folder / "rows.csv"
    lines = (read_text(rows) if rows.is_file() else ROWS).splitlines()
    stated = list(csv.DictReader(lines))
    methods: dict[str, dict[str, Any]] = {}
    for line in sorted(stated, key=lambda line: (line["table"], line["ranking"])):
        own = line["table"] == "table1" or methods.get(line["method"], {}).get("own", False)
        authors = _AUTHORS.search(line["row"])
        title = _AUTHORS.sub("", line["row"])
        title = title.removesuffix("+RK") if line["ranking"] == "rk" else title
        known = methods.setdefault(line["method"], {"title": title, "own": own})
        if authors and not known["own"]:
            known.setdefault("authors", authors.group(1))
    for method in ("no-drop", "no-reg"):
        if methods.get(method, {}).get("title") == f"{method} Top-DB-Net":
            methods[method]["brief"] = method
    return {
        "title": "Top-DB-Net",
        "citation": "Quispe & Pedrini, ICPR 2020",
        "methods": methods,
        "tables": {name: _table(folder / f"{name}.csv", name, stated) for name in TITLES},
    }


def _table(path: Path, name: str, stated: list[dict[str, str]]) -> dict[str, Any]:
    with lines_of(path) as stream:
        reader = csv.DictReader(stream)
        columns = [each.rpartition("_")[::2] for each in reader.fieldnames or ()]
        rows = [line["method"] for line in reader]
    of = {line["row"]: line["method"] for line in stated if line["table"] == name}
    listed = [[row for row in rows if "+RK" not in row], [row for row in rows if "+RK" in row]]
    if name == "table1":
        listed = [rows]
    return {
        "title": TITLES[name],
        "columns": {
            "datasets": list(
                dict.fromkeys(dataset for dataset, metric in columns if metric in METRICS)
            ),
            "metrics": METRICS,
        },
        "rankings": ["plain"] if name == "table1" else ["plain", "rk"],
        "measures": "rows" if name == "table1" else "all",
        "places": name == "table2",
        "blocks": [
            {"title": title, "ranking": ranking, "rows": {row: of.get(row) for row in own}}
            for title, ranking, own in zip(BLOCKS[name], ("plain", "rk"), listed, strict=False)
        ],
    }
