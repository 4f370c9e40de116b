"""From a folder of images to its index and its cache of pixels, in one pass over the files."""

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from topdb.datasets.index import Index, Measured, assemble, checked_order, write_index
from topdb.datasets.layouts import load_layout
from topdb.datasets.pixels import Image, writing_pixels
from topdb.errors import UserError


def build_index(name: str, layout: str, root: Path, index_path: Path, pixels_path: Path) -> Index:
    """Read a data set and write its index and its cache of pixels.

    Every file is read and decoded once, which proves that it can be; memory does not grow with
    the number of images beyond their index rows. The index is written last, so that where it
    stands its cache does too. A data set that cannot be read leaves both files as they were.

    Raises
    ------
    UserError
        The folder does not fit the layout, a person is in train and in test, or an image cannot
        be decoded; the message names the file.
    """
    source = load_layout(layout)
    found = source.read(root)
    records = checked_order(name, root, found)
    measured = []
    with writing_pixels(pixels_path) as sink:
        for record in records:
            content = _content(root / record.path)
            image = decode(content, root / record.path)
            sink.append(image)
            height, width, _ = image.shape
            measured.append(Measured(width, height, hashlib.sha256(content).hexdigest()))
        # An interruption from here on leaves no index, rather than one of other pixels.
        index_path.unlink(missing_ok=True)
    junk = len(found) - len(records)
    index = assemble(name, layout, source.PROTOCOL, junk, records, measured)
    write_index(index, index_path)
    return index


def decode(content: bytes, path: Path) -> Image:
    """Return an image file's pixels, (height, width, 3) uint8, RGB.

    Raises
    ------
    UserError
        The content, read from `path`, is no complete JPEG or PNG.
    """
    try:
        with Pillow.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            return np.asarray(image.convert("RGB"))
    # Pillow's decoders raise all of these on broken files.
    except (OSError, ValueError, SyntaxError, EOFError, Pillow.DecompressionBombError) as error:
        raise UserError(
            f"{path} cannot be decoded as JPEG or PNG ({_reason(error, content)}): replace or "
            "remove the file."
        ) from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}): restore the file or mend its permissions."
        ) from None


def _reason(error: Exception, content: bytes) -> str:
    if not content:
        return "it is empty"
    if isinstance(error, UnidentifiedImageError):
        return "it is no image"
    return str(error)
