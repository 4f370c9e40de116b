"""The cache of decoded pixels: each image of a data set decoded once, shared by every run."""

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from topdb.datasets.index import CHANNELS, Index
from topdb.errors import UserError
from topdb.files import replacing

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Pixels:
    """All images of an index as one memory-mapped array of bytes, in the index's row order.

    Images keep their native size. Processes that map the same file share its memory.
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
        index = self.index
        start, end = index.offsets[row], index.offsets[row + 1]
        image = self.values[start:end]
        if zlib.crc32(image.data) != index.crc32s[row]:
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
        self._stream.write(image.tobytes())
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
