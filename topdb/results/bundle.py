"""One archive with everything that a verdict rests on, and digests that say so.

A bundle is a gzipped tar archive:

    manifest.json       format, profile, and the SHA-256 of every other file
    params.yaml         as it was
    papers/             the papers that it lists
    methods/            of methods of one's own, if there are any, what each is called and what is
                        known of it; no code
    results/            of every finished run run.json, history.csv, queries.parquet, metrics.json
                        and its snapshots, if it has any, and the same of its tests on other data
                        sets; the examples of the page, and the seeds that were first planned

Nothing in it is run or unpickled. The same files give the same bytes. A bundle of format 1 has
`published/` in place of `papers/`, and margins and families among its parameters.
"""

import gzip
import io
import json
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from topdb.config import Params, declared, load_bundled, method_files
from topdb.config.paper import Paper
from topdb.config.papers import read_paper, read_papers
from topdb.errors import UserError
from topdb.files import digest, parse_json, replacing
from topdb.limits import ARCHIVE_FILES, UNPACKED_BYTES, read_text
from topdb.results.crossings import read_crossed, stored_crossings
from topdb.results.former import FORMER_FILES, write_former_paper
from topdb.results.planned import PLANNED
from topdb.results.runs import runs
from topdb.results.stored import stored_runs

MANIFEST = "manifest.json"
PARAMS = "params.yaml"
METHODS = "methods"
OF_PROFILE = ("examples.parquet", PLANNED)
OF_RUN = ("run.json", "history.csv", "snapshots.npz")
OF_RANKING = ("queries.parquet", "metrics.json")
"""Files below the results that reports read; those that are not there are left out."""
FORMAT = 2
FORMER = 1
_PIECE = 1024 * 1024
_SAFE = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*){0,9}")


@dataclass(frozen=True)
class Bundle:
    """A bundle that was unpacked and whose digests match."""

    folder: Path
    profile: str
    format: int

    @property
    def method_folders(self) -> tuple[Path, ...]:
        """The folder that names the methods beside the package's own, if there are any."""
        folder = self.folder / METHODS
        return (folder,) if folder.is_dir() else ()

    @property
    def results(self) -> Path:
        """The folder of its runs."""
        return self.folder / "results"

    def read(self) -> tuple[Params, tuple[Paper, ...]]:
        """Return its parameters and its papers.

        Raises
        ------
        UserError
            A file is broken.
        """
        params = load_bundled(self.folder / PARAMS, self.method_folders)
        if self.format != FORMER:
            return params, read_papers(params, self.folder / "papers")
        with tempfile.TemporaryDirectory(prefix="topdb-") as temporary:
            folder = Path(temporary) / "top_db_net"
            write_former_paper(self.folder / "published", self.folder / PARAMS, folder)
            return params, (read_paper(folder, self.method_folders),)


def write_bundle(
    path: Path,
    params: Params,
    profile_name: str,
    results: Path,
    papers: Sequence[Paper],
    out: Path,
) -> tuple[int, int]:
    """Write a bundle of a profile's finished runs; `path` is the file that `params` are of.

    Of the methods of one's own it holds what they are called, and no code.

    Returns
    -------
    Runs that are in it with all their files, and runs that the profile has.

    Raises
    ------
    UserError
        No run is finished, or a file is broken or does not belong where it lies.
    """
    profile = params.selected(profile_name)
    files = {PARAMS: path}
    for paper in papers:
        files |= {f"papers/{paper.name}/{file.name}": file for file in paper.files}
    wanted = [results / name for name in OF_PROFILE]
    stored = stored_runs(profile, results)
    across = stored_crossings(profile, stored)
    read_crossed(profile, results, params.metrics, stored)
    for each in stored:
        each.history()
        each.snapshots()
    for each in (*stored, *across):
        folder = each.files.folder
        wanted += [folder / name for name in OF_RUN]
        wanted += [folder / ranking / name for ranking in profile.rankings for name in OF_RANKING]
    for path in wanted:
        if path.is_file():
            files[f"results/{path.relative_to(results).as_posix()}"] = path
    if not stored:
        raise UserError(f"{results} has no finished run of profile {profile_name}: run it first.")
    with tempfile.TemporaryDirectory(prefix="topdb-") as temporary:
        files |= _titles(Path(temporary), params.method_folders)
        _pack(files, profile_name, out)
    return sum(not each.gaps(profile.rankings) for each in stored), len(list(runs(profile)))


@contextmanager
def opened(
    path: Path, most_bytes: int = UNPACKED_BYTES, most_files: int = ARCHIVE_FILES
) -> Iterator[Bundle]:
    """Unpack a bundle into a temporary folder, check it, and yield it.

    Raises
    ------
    UserError
        The archive is broken or too large, holds too many files, a link, an unsafe name, an extra
        file or a file of another digest, or lacks one.
    """
    with tempfile.TemporaryDirectory(prefix="topdb-") as temporary:
        folder = Path(temporary)
        try:
            with tempfile.TemporaryFile() as plain:
                _unzip(path, plain, most_bytes)
                with tarfile.open(fileobj=plain, mode="r:") as archive:
                    _unpack(path, archive, folder, most_files)
        except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, UnicodeError) as error:
            raise UserError(
                f"{path} is no bundle ({error}): make it again with `topdb bundle`."
            ) from None
        yield checked_bundle(folder, path)


def is_bundle(folder: Path) -> bool:
    """Whether a folder is an unpacked bundle."""
    return (folder / MANIFEST).is_file()


def checked_bundle(folder: Path, name: Path) -> Bundle:
    """Return the bundle of a folder whose files are those of its manifest.

    `name` is what messages call it.

    Raises
    ------
    UserError
        The manifest is missing or broken, or the files differ from it.
    """
    profile, written, expected = _manifest(folder, name)
    found = set()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise UserError(f"{name} holds {inside!r}, which is no plain file: it is refused.")
        if path.is_file() and inside != MANIFEST:
            found.add(inside)
    needed = {PARAMS}
    if written == FORMER:
        needed |= {f"published/{name}" for name in FORMER_FILES}
    for lacking in sorted((needed | expected.keys()) - found):
        raise UserError(f"{name} lacks the file {lacking}: ask for a complete bundle.")
    for extra in sorted(found - expected.keys()):
        raise UserError(f"{name} holds {extra!r}, which is not in its manifest: it is refused.")
    for inside, wanted in expected.items():
        if digest(folder / inside) != wanted:
            raise UserError(
                f"{name}: {inside} has another SHA-256 than the manifest says: it was changed "
                "after the bundle was made."
            )
    return Bundle(folder, profile, written)


def _titles(folder: Path, method_folders: Sequence[Path]) -> dict[str, Path]:
    """Write, for each method that is not the package's own, a file of its title and its mark."""
    files = {}
    for method in method_files(method_folders).keys() - method_files().keys():
        told = declared(method_files(method_folders)[method])
        stub = folder / f"{method.replace('-', '_')}.py"
        said = {"title": told.title, "backbone_name": told.backbone, "rebuilt": told.rebuilt}
        lines = [f"    {key} = {text!r}\n" for key, text in said.items() if text]
        stub.write_text("class Method:\n" + "".join(lines), encoding="utf-8")
        files[f"{METHODS}/{stub.name}"] = stub
    return files


def _pack(files: Mapping[str, Path], profile_name: str, out: Path) -> None:
    """Write the archive: the manifest, then the files by name."""
    manifest = {
        "format": FORMAT,
        "profile": profile_name,
        "files": {name: digest(files[name]) for name in sorted(files)},
    }
    text = json.dumps(manifest, indent=2).encode() + b"\n"
    with (
        replacing(out) as partial,
        partial.open("wb") as stream,
        gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.PAX_FORMAT) as archive,
    ):
        _add(archive, MANIFEST, len(text), io.BytesIO(text))
        for name in sorted(files):
            with files[name].open("rb") as content:
                _add(archive, name, files[name].stat().st_size, content)


def _add(archive: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    """Add a file without its owner, time and mode, which say nothing of the content."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    archive.addfile(member, content)


def _unzip(path: Path, plain: IO[bytes], most_bytes: int) -> None:
    """Unzip to a file that stays below a size, whatever the archive says of itself."""
    with gzip.open(path, "rb") as packed:
        written = 0
        while piece := packed.read(_PIECE):
            written += len(piece)
            if written > most_bytes:
                raise UserError(
                    f"{path} unpacks to more than {most_bytes / 1024**2:.0f} MiB: it is refused."
                )
            plain.write(piece)
    plain.seek(0)


def _unpack(path: Path, archive: tarfile.TarFile, folder: Path, most_files: int) -> None:
    for number, member in enumerate(archive):
        if number == most_files:
            raise UserError(f"{path} holds more than {most_files} files: it is refused.")
        # A sparse file is as large as it says, however small the archive.
        if not member.isreg() or member.issparse():
            raise UserError(f"{path} holds {member.name!r}, which is no plain file: it is refused.")
        if not _SAFE.fullmatch(member.name):
            raise UserError(f"{path} holds the unsafe name {member.name!r}: it is refused.")
        target = folder / member.name
        if target.exists():
            raise UserError(f"{path} holds {member.name!r} twice: it is refused.")
        content = archive.extractfile(member)
        if content is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as written:
                shutil.copyfileobj(content, written)


def _manifest(folder: Path, name: Path) -> tuple[str, int, dict[str, str]]:
    broken = UserError(f"{name} has no readable {MANIFEST}: make it again with `topdb bundle`.")
    try:
        content: Any = parse_json(read_text(folder / MANIFEST))
        written, profile, files = content["format"], content["profile"], content["files"]
        sound = isinstance(profile, str) and all(
            isinstance(inside, str) and isinstance(wanted, str) for inside, wanted in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise broken from None
    if written not in (FORMER, FORMAT):
        raise UserError(
            f"{name} is a bundle of format {written}: this topdb reads {FORMER} and {FORMAT}."
        )
    if not sound:
        raise broken
    return profile, written, dict(files)
