"""From an image file's bytes to pixels: 8-bit RGB, upright, and nothing lost without a word.

What the file's own format says how to show is done, and named. Where somebody would have to choose
(a background, an ink, one of several pictures), the file is refused.
"""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from topdb.datasets.conversions import (
    BROKEN_METADATA,
    COLOUR_PROFILE,
    GREY,
    ONE_BIT,
    OPAQUE_ALPHA,
    PALETTE,
    TURNED,
    WIDE_COLOUR,
    WIDE_GREY,
)
from topdb.datasets.index import Image
from topdb.errors import UserError
from topdb.kinds import IMAGES, START, kind_of, other

FEWEST_LEVELS = 16
"""Grey levels that 16-bit grey must leave room for. A sensor's raw 12 bits would leave fewer, a
picture that is all but black."""

_CONVERT = "save it as PNG, or take the image as it was published"
_NAMED = {"L": GREY, "LA": GREY, "I;16": WIDE_GREY, "1": ONE_BIT, "P": PALETTE}
_PLAIN = {"RGB", "RGBA", *_NAMED}
_ORIENTATION = 0x0112
_TURNS = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
"""What makes an image upright, by its EXIF orientation; 1 is, and no other number has a meaning."""


def content_of(path: Path) -> bytes:
    """Return a file's bytes; a UserError names one that cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}): restore the file or mend its permissions."
        ) from None


def decode(content: bytes, path: Path) -> tuple[Image, tuple[str, ...]]:
    """Return an image file's pixels, (height, width, 3) uint8, RGB, and what was converted.

    Raises
    ------
    UserError
        The content, read from `path`, is no complete JPEG or PNG, says that it is so large that
        decoding it would fill the memory, or cannot be 8-bit RGB without a choice.
    """
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            # Pillow refuses a header of 179 million pixels, and only warns of half that.
            warnings.simplefilter("error", Pillow.DecompressionBombWarning)
            with Pillow.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
                image.load()  # PNG may have its metadata last
                _refuse(image, path)
                done = _conversions(image, content)
                turn = _turn(image)
                upright = _rgb(image, path)
            if turn in _TURNS:
                upright = upright.transpose(_TURNS[turn])
                done.append(TURNED)
            if told or turn is None:
                done.append(BROKEN_METADATA)
            return np.asarray(upright), tuple(done)
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise UserError(
            f"{path} says that it is larger than {Pillow.MAX_IMAGE_PIXELS:,} pixels, which no box "
            "of a person is: replace or remove the file."
        ) from None
    # Pillow's decoders raise all of these on broken files.
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        require_image(content, path)
        raise UserError(
            f"{path} cannot be decoded as JPEG or PNG ({_reason(error, content)}): replace or "
            "remove the file."
        ) from None


def require_image(start: bytes, path: Path) -> None:
    """Raise a UserError where a file's first bytes are those of another kind than JPEG or PNG."""
    kind = kind_of(path, start[:START]) if start else None
    if kind and kind.word not in ("jpeg", "png"):
        remedy = _CONVERT if kind.word in IMAGES else None
        raise UserError(f"{path} {other(kind, 'JPEG or PNG', remedy)}.")


def _refuse(image: Pillow.Image, path: Path) -> None:
    """Raise a UserError where 8-bit RGB cannot be had without a choice."""
    if image.mode == "CMYK":
        raise UserError(
            f"{path} is in CMYK, inks whose colours depend on the press: convert it to RGB."
        )
    if image.mode not in _PLAIN:
        raise UserError(f"{path} has pixels of the kind {image.mode}: convert it to 8-bit RGB.")
    if getattr(image, "is_animated", False):
        raise UserError(f"{path} holds several pictures: keep the one that is meant.")
    if image.has_transparency_data:
        # One transparent level of 16 bits is beyond what Pillow can apply.
        opaque = image.mode != "I;16" and image.convert("RGBA").getchannel("A").getextrema() == (
            255,
            255,
        )
        if not opaque:
            raise UserError(
                f"{path} is transparent in places, and nothing says what lies behind: put it on "
                "a background of your choice, and save it without transparency."
            )


def _conversions(image: Pillow.Image, content: bytes) -> list[str]:
    """Return what turning an image into 8-bit RGB does, but for turning it upright."""
    done = [_NAMED[image.mode]] if image.mode in _NAMED else []
    if _is_wide(image, content) and WIDE_GREY not in done:
        done.append(WIDE_COLOUR)
    if image.has_transparency_data:
        done.append(OPAQUE_ALPHA)
    if "icc_profile" in image.info:
        done.append(COLOUR_PROFILE)
    return done


def _is_wide(image: Pillow.Image, content: bytes) -> bool:
    """Whether a PNG's header, which always comes first, says 16 bits a channel."""
    return image.format == "PNG" and content[24] == 16


def _rgb(image: Pillow.Image, path: Path) -> Pillow.Image:
    if image.mode == "I;16":
        # The high byte, as Pillow takes it of 16-bit colour; its own conversion clips to white.
        levels = (np.asarray(image) >> 8).astype(np.uint8)
        if levels.max() < FEWEST_LEVELS:
            raise UserError(
                f"{path} is 16-bit grey whose values all lie below {FEWEST_LEVELS * 256:,} of "
                "65,535, so that 8 bits would show next to nothing: scale it to 8 bits yourself."
            )
        return Pillow.fromarray(levels).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _turn(image: Pillow.Image) -> int | None:
    """Return the EXIF orientation, 1 where there is none; None where EXIF is unreadable."""
    if not any("exif" in str(key).lower() or "xmp" in str(key).lower() for key in image.info):
        return 1
    try:
        # `getexif` was asked by whoever opened a JPEG, and complains once.
        Pillow.Exif().load(image.info.get("exif", b""))
        return int(image.getexif().get(_ORIENTATION, 1))
    # Pillow's reader of EXIF raises whatever broken bytes lead it to.
    except Exception:
        return None


def _reason(error: Exception, content: bytes) -> str:
    if not content:
        return "it is empty"
    if isinstance(error, UnidentifiedImageError):
        return "it is no image"
    return str(error)
