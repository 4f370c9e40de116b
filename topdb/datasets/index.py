"""A data set as the runs see it: the index of its images, and their pixels decoded once."""

import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from topdb.datasets.conversions import ALTERING
from topdb.datasets.records import DISTRACTOR, JUNK, SPLITS, Counts, ImageRecord, Split
from topdb.errors import UserError
from topdb.files import parse_json, replacing
from topdb.parquet import read_table

Integers = NDArray[np.int64]

CHANNELS = 3
_METADATA_KEY = b"topdb.index"
PIXEL_DIGITS = 32
"""Of the SHA-256 of an image's pixels, that are kept: enough against accidents."""
_FORMAT = 3
_NUMBERS = ("pid", "camid", "label", "width", "height", "crc32")
_COLUMNS_OF_2 = ("split", "path", *_NUMBERS, "sha256")
"""Those of format 2, which is still read: what it does not say is None."""
_COLUMNS = (*_COLUMNS_OF_2, "pixels", "conversions")
_OF_PARTS = ("part_crc32", "part_sha256")
"""Further columns, where a data set has part maps."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Some consecutive rows of an index; each array has one entry a row, and is a view.

    `rows` are the positions in the whole index, by which `Pixels` is addressed.
    """

    rows: Integers
    paths: tuple[str, ...]
    """Relative to the data set's root, with forward slashes."""
    pids: Integers
    """Person ids; 0 is a distractor."""
    camids: Integers
    """Cameras, counted from 0."""
    labels: Integers
    """Classes of the training people, counted from 0 in the order of their ids; else -1."""

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.paths)

    @property
    def counts(self) -> Counts:
        """How many images, people and cameras there are."""
        people = np.unique(self.pids[self.pids != DISTRACTOR])
        return Counts(len(self), len(people), len(np.unique(self.camids)))


@dataclass(frozen=True, eq=False)
class Index(Rows):
    """A data set: its images sorted by split (train, query, gallery), then by path."""

    name: str
    layout: str
    protocol: str
    junk: int
    """Images left out because the protocol calls them junk (person id -1)."""
    splits: tuple[Split, ...]
    widths: Integers
    """Native widths in pixels."""
    heights: Integers
    crc32s: Integers
    """Checksum of each image's decoded pixels, by which a damaged cache is noticed."""
    sha256s: tuple[str, ...]
    """Digest of each image file's bytes."""
    pixels: tuple[str, ...] | None = None
    """Digest of each image's decoded pixels; None in an index of format 2, as all below."""
    conversions: tuple[tuple[str, ...], ...] | None = None
    """What was done to make each image 8-bit RGB, upright (`topdb.datasets.conversions`)."""
    release: str | None = None
    """Which release of its data set it is, where the layout knows several."""
    drawn: bool = False
    """Whether `topdb render` drew the images, whatever the parameters say by now."""
    part_crc32s: Integers | None = None
    """Checksum of each training image's part map; None where the data set has no maps."""
    part_sha256s: tuple[str, ...] = ()
    """Digest of each map file's bytes, empty for an image that has none; of training images."""

    @property
    def has_parts(self) -> bool:
        """Whether the data set has part maps."""
        return self.part_crc32s is not None

    @cached_property
    def parts_digest(self) -> str:
        """SHA-256 over all part maps; they are no part of `digest`, since few methods see them."""
        return hashlib.sha256("\n".join(self.part_sha256s).encode()).hexdigest()

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all rows: changes when any image, name, person or split does.

        Formats 2 and 3 give the same one, but for conversions that changed what pixels are read.
        """
        content = hashlib.sha256()
        conversions = self.conversions or ((),) * len(self)
        rows = zip(self.splits, self.paths, self.pids, self.camids, self.sha256s, strict=True)
        for row, done in zip(rows, conversions, strict=True):
            altered = [each for each in done if each in ALTERING]
            content.update("\t".join(map(str, (*row, *altered))).encode() + b"\n")
        return content.hexdigest()

    @cached_property
    def content(self) -> str | None:
        """SHA-256 of what networks see: split, person, camera and pixels of each image.

        It depends neither on the folder's names nor on how files are compressed; two releases of
        a data set with equal counts differ in it. None in an index of format 2.
        """
        if self.pixels is None:
            return None
        sizes = (self.widths.tolist(), self.heights.tolist())
        numbers = (self.pids.tolist(), self.camids.tolist())
        rows = zip(self.splits, *numbers, *sizes, self.pixels, strict=True)
        lines = sorted("\t".join(map(str, row)) for row in rows)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @cached_property
    def offsets(self) -> Integers:
        """Where each image's pixels begin in the cache, and where the last one's end: (N + 1,)."""
        sizes = self.widths * self.heights * CHANNELS
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])

    def split(self, name: Split) -> Rows:
        """Return the rows of one split."""
        first = self.splits.index(name)
        these = slice(first, first + self.splits.count(name))
        return Rows(
            rows=self.rows[these],
            paths=self.paths[these],
            pids=self.pids[these],
            camids=self.camids[these],
            labels=self.labels[these],
        )

    @property
    def split_counts(self) -> dict[Split, Counts]:
        """How many images, people and cameras each split has."""
        return {name: self.split(name).counts for name in SPLITS}


@dataclass(frozen=True, slots=True)
class Measured:
    """What decoding an image file tells about it."""

    width: int
    height: int
    crc32: int
    sha256: str
    pixels: str
    conversions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MeasuredMap:
    """What reading a part map tells about it."""

    crc32: int
    sha256: str
    """Empty where there is none."""


def checked_order(name: str, root: Path, records: list[ImageRecord]) -> list[ImageRecord]:
    """Return the records that are not junk, in the order of the index.

    Raises
    ------
    UserError
        A split has no image, a file is there twice, or a person is both in train and in test.
    """
    kept = sorted(
        (record for record in records if record.pid != JUNK),
        key=lambda record: (SPLITS.index(record.split), record.path),
    )
    for split in SPLITS:
        if not any(record.split == split for record in kept):
            raise UserError(f"data set {name}: {root} has no {split} images: complete it.")
    paths: dict[str, ImageRecord] = {}
    for record in kept:
        if record.path in paths:
            raise UserError(
                f"data set {name}: {root / record.path} is both in {paths[record.path].split} and "
                f"in {record.split}: correct the split."
            )
        paths[record.path] = record
    trained = {record.pid: record for record in kept if record.split == "train"}
    for record in kept:
        if record.split != "train" and record.pid in trained:
            raise UserError(
                f"data set {name}: person {record.pid} is in train ({trained[record.pid].path}) "
                f"and in {record.split} ({record.path}) of {root}: remove one of them."
            )
    return kept


def assemble(
    name: str,
    layout: str,
    protocol: str,
    junk: int,
    records: list[ImageRecord],
    measured: list[Measured],
    release: str | None = None,
    drawn: bool = False,
    maps: Sequence[MeasuredMap] = (),
) -> Index:
    """Return the index of records that are in order, and of what decoding told about each.

    `maps` has one of each training image, or none at all.
    """
    pids = np.array([record.pid for record in records], np.int64)
    training = np.array([record.split == "train" for record in records])
    classes = np.unique(pids[training])
    return Index(
        name=name,
        layout=layout,
        protocol=protocol,
        junk=junk,
        rows=np.arange(len(records), dtype=np.int64),
        splits=tuple(record.split for record in records),
        paths=tuple(record.path for record in records),
        pids=pids,
        camids=np.array([record.camid for record in records], np.int64),
        labels=np.where(training, np.searchsorted(classes, pids), -1).astype(np.int64),
        widths=np.array([image.width for image in measured], np.int64),
        heights=np.array([image.height for image in measured], np.int64),
        crc32s=np.array([image.crc32 for image in measured], np.int64),
        sha256s=tuple(image.sha256 for image in measured),
        pixels=tuple(image.pixels for image in measured),
        conversions=tuple(image.conversions for image in measured),
        release=release,
        drawn=drawn,
        part_crc32s=np.array([each.crc32 for each in maps], np.int64) if maps else None,
        part_sha256s=tuple(each.sha256 for each in maps),
    )


def write_index(index: Index, path: Path) -> None:
    """Write an index as Parquet, atomically; equal indexes give equal bytes."""
    description = {
        "format": _FORMAT,
        "name": index.name,
        "junk": index.junk,
        "digest": index.digest,
        "layout": index.layout,
        "protocol": index.protocol,
        "counts": {split: vars(counts) for split, counts in index.split_counts.items()},
        **({"drawn": True} if index.drawn else {}),
        "content": index.content,
        "release": index.release,
    }
    columns = {
        "split": pa.array(index.splits, pa.string()),
        "path": pa.array(index.paths, pa.string()),
        "pid": pa.array(index.pids),
        "camid": pa.array(index.camids),
        "label": pa.array(index.labels),
        "width": pa.array(index.widths),
        "height": pa.array(index.heights),
        "crc32": pa.array(index.crc32s),
        "sha256": pa.array(index.sha256s, pa.string()),
        "pixels": pa.array(index.pixels, pa.string()),
        "conversions": pa.array(index.conversions, pa.list_(pa.string())),
    }
    if index.part_crc32s is not None:
        others = len(index) - len(index.part_crc32s)
        crc32s = [*index.part_crc32s.tolist(), *[None] * others]
        columns["part_crc32"] = pa.array(crc32s, pa.int64())
        columns["part_sha256"] = pa.array([*index.part_sha256s, *[None] * others], pa.string())
    metadata = {_METADATA_KEY: json.dumps(description, sort_keys=True)}
    table = pa.table(columns).replace_schema_metadata(metadata)
    with replacing(path) as partial:
        pq.write_table(table, partial, compression="zstd", version="2.6", row_group_size=2**20)


def read_index(path: Path) -> Index:
    """Read an index.

    Raises
    ------
    UserError
        The file is missing, no Parquet, not an index of this version, or its rows do not have
        the digest that it states.
    """
    remedy = "delete it and run `topdb index` again."
    try:
        with path.open("rb") as stream:
            table = read_table(stream)
    except FileNotFoundError:
        raise UserError(f"the index {path} does not exist: run `topdb index` first.") from None
    # pyarrow raises these too on damaged bytes.
    except (pa.ArrowException, OSError, ValueError, MemoryError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} is not readable as Parquet ({reason}): {remedy}") from None
    try:
        index = _from_table(table)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        raise UserError(f"{path} is no index of a data set: {remedy}") from None
    if index is None:
        raise UserError(f"{path} was changed after it was written: {remedy}")
    return index


def _from_table(table: "pa.Table") -> Index | None:
    """Return the index that a table holds; None where a digest is not the one stated."""
    description: Mapping[str, Any] = parse_json(
        (table.schema.metadata or {})[_METADATA_KEY].decode()
    )
    columns = {2: _COLUMNS_OF_2, _FORMAT: _COLUMNS}[description["format"]]
    has_parts = tuple(table.column_names) == columns + _OF_PARTS
    if not has_parts and tuple(table.column_names) != columns:
        raise ValueError("another version")
    told: dict[str, Any] = {}
    if description["format"] == _FORMAT:
        told = {
            "pixels": tuple(table["pixels"].to_pylist()),
            "conversions": tuple(map(tuple, table["conversions"].to_pylist())),
            "release": description["release"],
        }
    if has_parts:
        training = table["split"].to_pylist().count("train")
        crc32s, sha256s = (table[name].to_pylist()[:training] for name in _OF_PARTS)
        told["part_crc32s"] = np.array(crc32s, np.int64)
        told["part_sha256s"] = tuple(map(str, sha256s))
    numbers = {name: np.array(table[name].to_pylist(), np.int64) for name in _NUMBERS}
    if any((numbers[name] < 1).any() for name in ("width", "height")):
        raise ValueError("an image without pixels")
    index = Index(
        name=description["name"],
        layout=description["layout"],
        protocol=description["protocol"],
        junk=description["junk"],
        rows=np.arange(table.num_rows, dtype=np.int64),
        splits=tuple(table["split"].to_pylist()),
        paths=tuple(table["path"].to_pylist()),
        pids=numbers["pid"],
        camids=numbers["camid"],
        labels=numbers["label"],
        widths=numbers["width"],
        heights=numbers["height"],
        crc32s=numbers["crc32"],
        sha256s=tuple(table["sha256"].to_pylist()),
        **told,
        drawn=bool(description.get("drawn", False)),
    )
    stated = description["digest"], description.get("content")
    return index if (index.digest, index.content) == stated else None


Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Pixels:
    """All images of an index as one memory-mapped array of bytes, in the index's row order.

    The part maps of the training images, which come first, follow all images. Images keep their
    native size. Processes that map the same file share its memory.
    """

    path: Path
    values: NDArray[np.uint8]
    """(total bytes,) uint8, read-only."""
    index: Index

    @classmethod
    def open(cls, path: Path, index: Index) -> "Pixels":
        """Map the cache that was written with `index`.

        Raises
        ------
        UserError
            The file is missing, no cache, or of another size than the index calls for.
        """
        remedy = "delete it and run `topdb index` again."
        try:
            values = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise UserError(f"the cache {path} does not exist: run `topdb index` first.") from None
        except (OSError, ValueError, EOFError):
            raise UserError(f"{path} is no cache of pixels, or is cut short: {remedy}") from None
        expected = int(index.offsets[-1])
        if index.part_crc32s is not None:
            expected += int(index.offsets[len(index.part_crc32s)])
        if values.dtype != np.uint8 or values.shape != (expected,):
            raise UserError(
                f"{path} holds {values.size} values, and the index of {index.name} calls for "
                f"{expected} bytes: {remedy}"
            )
        return cls(path, values, index)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.index)

    def __getitem__(self, row: int) -> Image:
        """Return one image, a view of (height, width, 3) uint8, RGB.

        Raises
        ------
        UserError
            Its bytes are not those that were decoded.
        """
        return self._image(row, 0, int(self.index.crc32s[row]))

    def parts(self, row: int) -> Image:
        """Return the part map of a training image, a view of (height, width, 3) uint8: I, U, V.

        Of an image without one all is 0.

        Raises
        ------
        UserError
            The data set has no part maps, or the bytes are not those that were decoded.
        """
        index = self.index
        if index.part_crc32s is None:
            raise UserError(
                f"{self.path} holds no part maps of {index.name}: name their folder as "
                f"datasets.{index.name}.parts in params.yaml, and run `topdb index` again."
            )
        return self._image(row, int(index.offsets[-1]), int(index.part_crc32s[row]))

    def _image(self, row: int, after: int, crc32: int) -> Image:
        index = self.index
        start, end = index.offsets[row : row + 2] + after
        image = self.values[start:end]
        if zlib.crc32(image.data) != crc32:
            raise UserError(
                f"{self.path} is damaged: it holds other pixels of {index.paths[row]} than were "
                "decoded; delete it and run `topdb index` again."
            )
        return image.reshape(index.heights[row], index.widths[row], CHANNELS)


class PixelSink(Protocol):
    """Where decoded images go, one after another."""

    def append(self, image: Image) -> None:
        """Add an image of (height, width, 3) uint8, RGB."""
        ...


class _Appender:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.written = 0

    def append(self, image: Image) -> None:
        self._stream.write(np.ascontiguousarray(image).data)
        self.written += image.size


@contextmanager
def writing_pixels(path: Path) -> Iterator[PixelSink]:
    """Yield a sink for images; on success the cache stands at `path`, otherwise nothing changed.

    Memory does not grow with the number of images.
    """
    with replacing(path) as partial, partial.open("wb") as stream:
        stream.write(_header(0))
        appender = _Appender(stream)
        yield appender
        stream.seek(0)
        stream.write(_header(appender.written))


def _header(length: int) -> bytes:
    """Return the .npy header of a 1-D uint8 array; its size is the same for every length."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "|u1", "fortran_order": False, "shape": (length,)}
    )
    return buffer.getvalue()
