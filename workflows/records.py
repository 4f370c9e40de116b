"""Snakemake's records of what made each result, kept beside the results so that they travel along.

Snakemake decides by these records (parameters and checksums of inputs, a JSON file an output in
`.snakemake/metadata`) whether a result still stands; without them only modification times count,
and those are arbitrary after `git clone`, `dvc pull` or `dvc checkout`.
"""

import gzip
import hashlib
import os
import tarfile
from base64 import urlsafe_b64decode
from pathlib import Path

METADATA = Path(".snakemake/metadata")
NOTES = Path(".snakemake/topdb-records")
"""Digest of each profile's bundle as this folder last wrote or read it."""


def restore(results: Path) -> None:
    """Take over the records that came with a profile's results, unless they are known."""
    bundle = results / "records.tar.gz"
    if not bundle.exists() or _noted(results) == (digest := _digest(bundle)):
        return
    METADATA.mkdir(parents=True, exist_ok=True)
    with tarfile.open(bundle) as archive:
        archive.extractall(METADATA, filter="data")
    _note(results, digest)


def save(results: Path) -> None:
    """Write the records of all that a profile made to its results."""
    results.mkdir(parents=True, exist_ok=True)
    bundle = results / "records.tar.gz"
    partial = results / f".records.{os.getpid()}.partial"
    with (
        partial.open("wb") as stream,
        gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for path in sorted(METADATA.rglob("*")):
            name = path.relative_to(METADATA).as_posix()
            if path.is_file() and _belongs(_output(name), results):
                archive.add(path, name, filter=_anonymous)
    partial.replace(bundle)
    _note(results, _digest(bundle))


def _output(name: str) -> str:
    """Return the output that a record is about: its name in base64, cut into folders if long."""
    return urlsafe_b64decode(name.replace("/@", "").removeprefix("@").replace("/", "")).decode()


def _belongs(output: str, results: Path) -> bool:
    """Return whether an output is the profile's; data and reports are those of any."""
    return output.startswith(f"{results}/") or not output.startswith(f"{results.parent}/")


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def _digest(bundle: Path) -> str:
    return hashlib.sha256(bundle.read_bytes()).hexdigest()


def _noted(results: Path) -> str:
    note = NOTES / results.name
    return note.read_text() if note.exists() else ""


def _note(results: Path, digest: str) -> None:
    NOTES.mkdir(parents=True, exist_ok=True)
    (NOTES / results.name).write_text(digest)
