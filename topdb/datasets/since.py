"""What of a data set is other than when its index was written."""

from collections.abc import Mapping

from topdb.datasets.index import Index
from topdb.datasets.reading import Found
from topdb.datasets.records import JUNK
from topdb.files import digest


def digests(found: Found) -> dict[str, str]:
    """Return the SHA-256 of each image that an index would list, by path; files are read."""
    return {
        record.path: digest(found.files[record.path])
        for record in found.records
        if record.pid != JUNK
    }


def changes(index: Index, now: Mapping[str, str]) -> str:
    """Say how many images are others than in an index, gone or new; nothing where none are.

    `now` are the SHA-256 of the images of today, by path.
    """
    before = dict(zip(index.paths, index.sha256s, strict=True))
    other = [path for path in before if now.get(path, before[path]) != before[path]]
    gone = [path for path in before if path not in now]
    new = [path for path in now if path not in before]
    kinds = {"of other content": other, "gone": gone, "new": new}
    return "; ".join(_told(kind, sorted(paths)) for kind, paths in kinds.items() if paths)


def _told(kind: str, paths: list[str]) -> str:
    if len(paths) == 1:
        return f"1 image is {kind} ({paths[0]})"
    return f"{len(paths):,} images are {kind} ({paths[0]} and {len(paths) - 1:,} more)"
