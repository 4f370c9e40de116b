"""The blocks of README.md and docs/, and a small project in which they run as they are printed.

What the documents do not show stands in a comment above a block:

- `file: PATH`: the block is this file
- `into: params.yaml`: the lines are written there, and not only checked
- `serves: ADDRESS`: the command goes on until it is ended; the address has to answer
- `soak: REASON`: only `make soak` runs it
- `not run: REASON`: no machine of ours can

They may stand one above the other.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "papers/README.md",
    *(f"docs/{p.name}" for p in sorted(ROOT.glob("docs/*.md"))),
]
MARKS = ("file", "into", "serves", "soak", "not run")
MARK = re.compile(r"<!-- (" + "|".join(MARKS) + r"): (.+) -->")
UNACTIVATED = ("README.md", "docs/tutorial.md")
"""They tell their readers how to activate the environment; the others take it for granted."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    page: str
    line: int
    """Where it begins, from 1."""
    language: str
    text: str
    marks: Mapping[str, str]


def blocks(page: str, root: Path = ROOT) -> list[Block]:
    """Return the fenced blocks of a document, in order."""
    found: list[Block] = []
    marks: dict[str, str] = {}
    fence, start, language = "", 0, ""
    lines = (root / page).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if fence:
            if line.strip() == fence:
                text = "\n".join(lines[start : number - 1]) + "\n"
                found.append(Block(page, start, language, text, marks))
                fence, marks = "", {}
        elif line.lstrip().startswith("```"):
            fence, start, language = "```", number, line.strip().removeprefix("```")
        elif mark := MARK.fullmatch(line.strip()):
            marks[mark[1]] = mark[2]
        elif line.startswith("<!--"):
            raise ValueError(f"{page}:{number}: no such mark: {line}")
        elif line.strip():
            marks = {}
    return found


def runs(block: Block, soak: bool) -> bool:
    """Whether a block runs here."""
    return "not run" not in block.marks and (soak or "soak" not in block.marks)


def script(page: str, soak: bool) -> str:
    """Return one shell script of all blocks of a document."""
    lines = ["set -euo pipefail"]
    if page not in UNACTIVATED:
        lines.append("source .venv/bin/activate")
    here = f"{sys.executable} {Path(__file__)}"
    for block in blocks(page):
        if not runs(block, soak) or block.language == "text":
            continue
        lines.append(f"echo '>>> {page}:{block.line}'")
        if "serves" in block.marks:
            command = f"{here} serve {block.marks['serves']}"
        elif block.language == "sh":
            lines.append(block.text)
            continue
        elif block.language == "yaml":
            command = f"{here} merge {block.marks.get('into', '')}"
        elif "file" in block.marks:
            command = f"{here} write {block.marks['file']}"
        else:
            command = "python -"
        lines.append(f"{command} <<'END-OF-BLOCK'\n{block.text}END-OF-BLOCK")
    return "\n".join(lines) + "\n"


# ---- what the script calls ----------------------------------------------------------------------


def merged(old: Any, new: Any) -> Any:
    """Return `old` with the keys of `new`, mapping by mapping."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return old | {key: merged(old.get(key), value) for key, value in new.items()}


def placed(lines: Mapping[str, Any]) -> dict[str, Any]:
    """Return lines of params.yaml below the keys that they belong to.

    Lines of a profile go to `mini`, data sets to `paper`, whose data are as a user's.
    """
    from topdb.config import Params, Profile

    if lines.keys() <= Params.model_fields.keys():
        return dict(lines)
    if lines.keys() <= Profile.model_fields.keys():
        return {"profiles": {"mini": dict(lines)}}
    return {"profiles": {"paper": {"datasets": dict(lines)}}}


def merge(text: str, into: str) -> None:
    """Check lines of params.yaml, and write them where they are to stay."""
    from topdb.config import load

    file = Path("params.yaml")
    # What is only checked is held against the parameters that a reader has.
    whole = yaml.safe_load((file if into else ROOT / file).read_text(encoding="utf-8"))
    lines = placed(yaml.safe_load(text))
    checked = Path(into or "checked.yaml")
    checked.write_text(yaml.safe_dump(merged(whole, lines), sort_keys=False), encoding="utf-8")
    params = load(checked)
    for name in lines.get("profiles", {}):
        params.selected(name)
    if not into:
        checked.unlink()


def serve(command: str, address: str) -> None:
    """Start a command, wait until an address answers, and end it."""
    address = address.replace(":5000", f":{os.environ['MLFLOW_PORT']}")
    process = subprocess.Popen(["bash", "-c", command], start_new_session=True)
    deadline = time.monotonic() + 300
    try:
        while True:
            try:
                with urllib.request.urlopen(address, timeout=10) as answer:
                    assert answer.status == 200
                return
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.5)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def main(what: str, argument: str = "") -> None:
    text = sys.stdin.read()
    if what == "merge":
        merge(text, argument)
    elif what == "serve":
        serve(text, argument)
    else:
        Path(argument).parent.mkdir(parents=True, exist_ok=True)
        Path(argument).write_text(text, encoding="utf-8")


# ---- the project --------------------------------------------------------------------------------


def tracked() -> list[str]:
    """Files of the repository, as they stand in the working tree."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=False)
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def copy_repository(folder: Path) -> None:
    """Copy the repository's files, with an environment that `make` takes for its own."""
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    environment = folder / ".venv"
    environment.mkdir()
    for part in ("bin", "lib", "pyvenv.cfg"):
        (environment / part).symlink_to(Path(sys.prefix) / part)
    (environment / ".ready").touch()
    for name in ("requirements.lock", "pyproject.toml"):
        os.utime(folder / name, (0, 0))


def free_port() -> int:
    """Return a port at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def environment(folder: Path) -> dict[str, str]:
    """Return what a reader's shell has, who has activated nothing; the code is the copy's."""
    programs = str(Path(sys.executable).parent)
    path = [each for each in os.environ["PATH"].split(os.pathsep) if each != programs]
    kept = {key: each for key, each in os.environ.items() if not key.startswith("PYTEST")}
    return kept | {
        "PATH": os.pathsep.join(path),
        "PYTHONPATH": str(folder),
        "HOME": str(folder.parent),
        # `make test` would try this very test, too: one file stands for all.
        "PYTEST_ADDOPTS": "tests/test_files.py -p no:cacheprovider",
        "PYTEST_XDIST_AUTO_NUM_WORKERS": "1",
        "MLFLOW_PORT": str(free_port()),  # in place of 5000, where another may listen
        "MLFLOW_WORKERS": "1",
    }


def run(folder: Path, text: str, timeout: int = 900) -> str:
    """Run a script in a project; return what it said."""
    file = folder.parent / "script.sh"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["bash", str(file)],
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        said = done.stdout.rpartition(">>> ")[2]
        raise AssertionError(f"status {done.returncode} at {said[-4000:]}")
    return done.stdout


def count(folder: Path, layout: str, counts: Mapping[str, tuple[int, int, int]]) -> None:
    """Let a layout's published counts be those of a stand-in: people, images, cameras."""
    file = folder / "topdb/datasets/layouts" / f"{layout}.py"
    text = file.read_text(encoding="utf-8")
    for split, (people, images, cameras) in counts.items():
        told = f'"{split}": Published(people={people}, images={images}, cameras={cameras})'
        text, found = re.subn(rf'"{split}": Published\([^)]*\)', told, text)
        assert found == 1
    file.write_text(text, encoding="utf-8")


def outline(soak: bool) -> dict[str, int]:
    """How many blocks run, and how many do not, by reason."""
    found: dict[str, int] = {}
    for page in PAGES:
        for block in blocks(page):
            reason = "text" if block.language == "text" else block.marks.get("not run", "runs")
            if reason == "runs" and not runs(block, soak):
                reason = "soak"
            found[reason] = found.get(reason, 0) + 1
    return found


if __name__ == "__main__":
    if sys.argv[1:] == ["outline"]:
        print(json.dumps(outline(soak=True)))
    else:
        main(*sys.argv[1:])
