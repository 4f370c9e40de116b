"""Writes requirements.lock: what pyproject.toml needs, each package with the digests of its files.

requirements-docs.lock has what its group `docs` needs, in the versions of the first lock.

`make lock` keeps the versions that stand; `make lock free="numpy scipy"` lets those packages move.
uv resolves for all platforms at once and names every file of a version. The lock takes the digests
of the wheels that fit a platform below, and the source's where one of them has no wheel.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
HEAD = """\
# Every package of the environment, pinned, with the digests of its files for Linux (x86-64 and
# aarch64) and macOS (arm64). `make env` installs it; `make lock` makes it from pyproject.toml.
# Packages of the CUDA build of torch exist for x86-64 Linux alone.
"""
DOCS = ROOT / "requirements-docs.lock"
DOCS_HEAD = """\
# Every package that `make site` needs, pinned as in requirements.lock; `make lock` makes it from
# the group `docs` of pyproject.toml.
"""
PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
PLATFORMS = {
    "Linux on x86-64": ("manylinux", ("_x86_64",)),
    "Linux on aarch64": ("manylinux", ("_aarch64",)),
    "macOS on arm64": ("macosx", ("_arm64", "_universal2")),
}
"""How the names of a platform's wheels begin, and how they end."""
CUDA = ("nvidia-", "cuda-", "triton")
CUDA_ALONE = ' ; sys_platform == "linux" and platform_machine == "x86_64"'
NOT_MEANT = ("win32", "emscripten")


def resolved(uv: str, wanted: Sequence[str], kept: Sequence[str]) -> list[dict[str, Any]]:
    """Return the packages that are wanted and that they need, as in a pylock.toml."""
    with tempfile.TemporaryDirectory() as folder:
        standing, out = Path(folder, "standing.txt"), Path(folder, "pylock.toml")
        standing.write_text("\n".join(kept), encoding="utf-8")
        command = [uv, "pip", "compile", *wanted, "--quiet"]
        command += ["--universal", "--fork-strategy", "fewest", "--python-version", "3.11"]
        command += ["--constraint", str(standing), "--output-file", str(out), "--no-header"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        found: list[dict[str, Any]] = tomllib.loads(out.read_text(encoding="utf-8"))["packages"]
    return [each for each in found if not is_of_another_system(each)]


def pins(lock: str) -> list[str]:
    """Return `name==version` of each package of a lock."""
    lines = (line for line in lock.splitlines() if line and line[0] not in "# ")
    return [line.partition(" ")[0] for line in lines]


def is_of_another_system(package: dict[str, Any]) -> bool:
    """Whether a package is needed only on systems that are not meant."""
    choices = package.get("marker", "").split(" or ")
    return all(any(f"sys_platform == '{name}'" in each for name in NOT_MEANT) for each in choices)


def line_of(package: dict[str, Any]) -> str:
    """Return the lock's lines of a package.

    Raises ValueError where a Python or platform would find no file.
    """
    name = package["name"]
    cuda = name.startswith(CUDA)
    wheels = {_file_name(each): each["hashes"]["sha256"] for each in package.get("wheels", ())}
    meant = [*PLATFORMS][:1] if cuda else [*PLATFORMS]
    kept, lacking = set(), []
    for python in PYTHONS:
        for platform in meant:
            fitting = {wheels[each] for each in wheels if fits(each, python, platform)}
            kept |= fitting
            if not fitting:
                lacking.append(f"Python {python[0]}.{python[1]}, {platform}")
    if lacking:
        if "sdist" not in package:
            raise ValueError(f"{name} has no file for {'; '.join(lacking)}.")
        of = len(PYTHONS) * len(meant)
        print(f"{name}: built from its source for {len(lacking)} of {of}", file=sys.stderr)
        kept.add(package["sdist"]["hashes"]["sha256"])
    first = f"{name}=={package['version']}{CUDA_ALONE if cuda else ''}"
    return " \\\n".join([first, *(f"    --hash=sha256:{each}" for each in sorted(kept))])


def _file_name(file: dict[str, Any]) -> str:
    return str(file.get("name") or file["url"].rpartition("/")[2])


def fits(wheel: str, python: tuple[int, int], platform: str) -> bool:
    """Whether a wheel, by its file's name, can be installed for a Python on a platform."""
    *_, tags = parse_wheel_filename(wheel)
    begins, ends = PLATFORMS[platform]
    return any(
        tag in _accepted(python, tag.platform)
        for tag in tags
        if tag.platform == "any"
        or (tag.platform.startswith(begins) and tag.platform.endswith(ends))
    )


def _accepted(python: tuple[int, int], platform: str) -> Iterator[Tag]:
    interpreter = f"cp{python[0]}{python[1]}"
    yield from cpython_tags(python, abis=[interpreter], platforms=[platform])
    yield from compatible_tags(python, interpreter, platforms=[platform])


def main() -> None:
    """Write the lock."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uv", default="uv", help="the uv to resolve with")
    parser.add_argument("free", nargs="*", help="packages whose version may change")
    options = parser.parse_args()
    for lock, head, wanted in (
        (LOCK, HEAD, ["pyproject.toml", "--all-extras"]),
        (DOCS, DOCS_HEAD, ["--group", "docs"]),
    ):
        texts = [each.read_text(encoding="utf-8") for each in (DOCS, LOCK) if each.exists()]
        kept = {pin.split("==")[0]: pin for text in texts for pin in pins(text)}
        kept = [pin for name, pin in kept.items() if name not in options.free]
        packages = resolved(options.uv, wanted, kept)
        lock.write_text(head + "\n".join(map(line_of, packages)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
