"""From a folder of images to its index and its cache of pixels, in one pass over the files."""

import hashlib
import sys
import zlib
from pathlib import Path

import numpy as np

from topdb.config import LeakSettings
from topdb.datasets.decoding import content_of, decode
from topdb.datasets.index import (
    PIXEL_DIGITS,
    Index,
    Measured,
    MeasuredMap,
    PixelSink,
    assemble,
    checked_order,
    read_index,
    write_index,
    writing_pixels,
)
from topdb.datasets.leaks import find_leaks
from topdb.datasets.part_maps import PartMaps, find_maps, read_map
from topdb.datasets.problems import Problems
from topdb.datasets.reading import Found, Source, read_source, require_release
from topdb.datasets.records import MARKER, SEAL, ImageRecord
from topdb.errors import UserError
from topdb.files import one_at_a_time

_Stamp = tuple[int, int] | None


def build_index(
    name: str,
    layout: str,
    root: Path,
    index_path: Path,
    pixels_path: Path,
    *,
    distractors: Path | None = None,
    split: int | None = None,
    release: str | None = None,
    content: str | None = None,
    leaks: LeakSettings = LeakSettings(),  # noqa: B008 - it is frozen
    parts: Path | None = None,
) -> Index:
    """Read a data set and write its index and its cache of pixels.

    Every file is read and decoded once, which proves that it can be; memory does not grow with
    the number of images beyond their index rows. The index is written last, so that where it
    stands its cache does too. A data set that cannot be read leaves both files as they were. Of
    processes that ask for the same files at once one does the work, and the others take it.

    `distractors` is a folder of further gallery images, `split` counts the layout's splits from 1,
    and `release` names one of its releases, each for layouts that have them. `content` is what the
    index's `content` must begin with, and `leaks` says which copies of images are errors.

    `parts` is a folder of part maps of the training images, which follow the pixels in their cache;
    on standard error stands how many there are.

    Raises
    ------
    UserError
        The folder does not fit the layout, a person or an image is in train and in test, images
        cannot be decoded, the content is another one, or nothing tells the release; the message
        names the files.
    """
    before = _stamp(index_path)
    with one_at_a_time(index_path) as waited:
        source = Source(layout, root, distractors, split, release)
        found = read_source(source)
        require_release(source, found)
        records = checked_order(name, root, found.records)
        maps = find_maps(parts, records) if parts else None
        if waited and _stamp(index_path) not in (before, None):
            others = read_index(index_path)
            if _describes(others, name, layout, found, records, maps):
                return _sound(others, content, leaks)
        with writing_pixels(pixels_path) as sink:
            measured = _all_measured([found.files[record.path] for record in records], sink)
            junk = len(found.records) - len(records)
            drawn = (root / MARKER).is_file() or (root / SEAL).is_file()
            mapped = _mapped(maps, records, measured, sink) if maps else []
            told = found.release, drawn, mapped
            index = assemble(name, layout, found.protocol, junk, records, measured, *told)
            _sound(index, content, leaks)
            # An interruption from here on leaves no index, rather than one of other pixels.
            index_path.unlink(missing_ok=True)
        write_index(index, index_path)
        if maps:
            print(f"topdb: {name}: {maps.told()}", file=sys.stderr)
        return index


def _all_measured(files: list[Path], sink: PixelSink) -> list[Measured]:
    """Decode images into the sink; a UserError tells of all that cannot be."""
    measured, problems = [], Problems()
    for file in files:
        with problems.collecting():
            measured.append(_measured(file, sink))
    problems.require_none()
    return measured


def _measured(file: Path, sink: PixelSink) -> Measured:
    """Decode an image into the sink; return what that tells."""
    content = content_of(file)
    image, conversions = decode(content, file)
    sink.append(image)
    return Measured(
        width=image.shape[1],
        height=image.shape[0],
        crc32=zlib.crc32(image.data),
        sha256=hashlib.sha256(content).hexdigest(),
        pixels=hashlib.sha256(image.data).hexdigest()[:PIXEL_DIGITS],
        conversions=conversions,
    )


def _mapped(
    maps: PartMaps, records: list[ImageRecord], measured: list[Measured], sink: PixelSink
) -> list[MeasuredMap]:
    """Read the training images' maps into the sink, an empty one where there is none."""
    found, problems = [], Problems()
    for record, image in zip(records, measured, strict=True):
        if record.split == "train":
            size = image.height, image.width
            file = maps.files.get(record.path)
            told, content = np.zeros((*size, 3), np.uint8), b""
            with problems.collecting():
                told, content = read_map(file, size) if file else (told, content)
            sink.append(told)
            digest = hashlib.sha256(content).hexdigest() if file else ""
            found.append(MeasuredMap(zlib.crc32(told.tobytes()), digest))
    problems.require_none()
    return found


def _sound(index: Index, content: str | None, leaks: LeakSettings) -> Index:
    """Return an index; raise a UserError where it is of other content, or has leaks of the kind."""
    found = index.content or ""
    if content is not None and not found.startswith(content):
        raise UserError(
            f"data set {index.name}: its content is {found[:16]}, and params.yaml asks for "
            f"{content}: get the images that are meant, or correct `content`."
        )
    for leak in find_leaks(index):
        if getattr(leaks, leak.side) == "error":
            raise UserError(
                f"data set {index.name}: {leak.sentence}: remove them, or set leaks.{leak.side} "
                "of the data set in params.yaml to warning."
            )
    return index


def _stamp(path: Path) -> _Stamp:
    """Return what tells two writings of a file apart; None where there is no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _describes(
    index: Index,
    name: str,
    layout: str,
    found: Found,
    records: list[ImageRecord],
    maps: PartMaps | None,
) -> bool:
    """Whether an index is of just these records."""
    return (
        (index.name, index.layout, index.protocol) == (name, layout, found.protocol)
        and index.paths == tuple(record.path for record in records)
        and index.splits == tuple(record.split for record in records)
        and index.pids.tolist() == [record.pid for record in records]
        and index.camids.tolist() == [record.camid for record in records]
        and index.has_parts == (maps is not None)
    )
