"""Every kind of JPEG and PNG is shown as its format says, with a word for it, or refused."""

import contextlib
import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from topdb.datasets.decoding import decode
from topdb.errors import UserError

PATH = Path("a.png")
RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 4, 3), dtype=np.uint8)
GREYS = RNG.integers(0, 256, (6, 4), dtype=np.uint8)
ALPHA = np.full((6, 4, 1), 255, np.uint8)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(samples: Any, colour_type: int, depth: int = 16) -> bytes:
    """A PNG of (height, width[, channels]) samples as the standard has it: big-endian."""
    height, width = samples.shape[:2]
    raw = b"".join(b"\0" + row.astype(">u2" if depth == 16 else "u1").tobytes() for row in samples)

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def three(grey: Any) -> Any:
    return np.repeat(grey[:, :, None], 3, axis=2)


def shown(content: bytes) -> tuple[Any, tuple[str, ...]]:
    """What is read, with every warning an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return decode(content, PATH)


def indexed() -> Image.Image:
    image = Image.fromarray(GREYS % 4, "P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120])
    return image


KINDS = {
    "RGB": (saved(Image.fromarray(COLOUR)), COLOUR, ()),
    "grey": (saved(Image.fromarray(GREYS)), three(GREYS), ("grey",)),
    "one bit": (
        saved(Image.fromarray(GREYS > 99)),
        three(np.where(GREYS > 99, 255, 0)),
        ("1-bit",),
    ),
    "palette": (
        saved(indexed()),
        np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90], [100, 110, 120]])[GREYS % 4],
        ("palette",),
    ),
    "opaque": (
        saved(Image.fromarray(np.concatenate([COLOUR, ALPHA], axis=2))),
        COLOUR,
        ("opaque alpha",),
    ),
    "opaque grey": (
        saved(Image.fromarray(np.stack([GREYS, ALPHA[..., 0]], axis=2), "LA")),
        three(GREYS),
        ("grey", "opaque alpha"),
    ),
    "a transparent colour that no pixel has": (
        saved(Image.fromarray(COLOUR | 1), transparency=(0, 0, 0)),
        COLOUR | 1,
        ("opaque alpha",),
    ),
    "16-bit grey": (png(GREYS * np.uint16(257), 0), three(GREYS), ("16-bit grey",)),
    "16-bit colour": (png(COLOUR * np.uint16(257), 2), COLOUR, ("16-bit colour",)),
    "16-bit opaque": (
        png(np.concatenate([COLOUR, ALPHA], axis=2) * np.uint16(257), 6),
        COLOUR,
        ("16-bit colour", "opaque alpha"),
    ),
    "a profile": (saved(Image.fromarray(COLOUR), icc_profile=b"x"), COLOUR, ("colour profile",)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_format_says_how_to_show(kind: str) -> None:
    content, pixels, done = KINDS[kind]
    found, conversions = shown(content)
    assert found.dtype == np.uint8
    assert np.array_equal(found, pixels)
    assert conversions == done


def test_of_16_bits_grey_and_colour_keep_the_same_byte() -> None:
    samples = RNG.integers(0, 65536, (6, 4), dtype=np.uint16)
    grey, _ = shown(png(samples, 0))
    colour, _ = shown(png(three(samples), 2))
    assert np.array_equal(grey, colour)
    assert np.array_equal(grey[..., 0], samples >> 8)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_upright(orientation: int, kind: str) -> None:
    """By the corner where the first row meets the first column, as EXIF defines it."""
    pixels = np.full((16, 8, 3), 200, np.uint8)
    pixels[:8] = 20
    pixels[:, :4, 0] += 50
    stored = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: pixels.transpose(1, 0, 2)[::-1],
        7: pixels.transpose(1, 0, 2)[::-1, ::-1],
        8: pixels.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    image = Image.fromarray(np.ascontiguousarray(stored))
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    found, conversions = shown(saved(image, kind, exif=exif(orientation), **options))
    assert np.abs(found.astype(int) - pixels).max() <= (0 if kind == "PNG" else 30)
    assert conversions == (() if orientation == 1 else ("turned",))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_without_a_meaning_turns_nothing(orientation: int) -> None:
    found, conversions = shown(saved(Image.fromarray(COLOUR), exif=exif(orientation)))
    assert np.array_equal(found, COLOUR)
    assert conversions == ()


@pytest.mark.parametrize(
    "broken",
    [
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\x7f\0\0\0\0",
        b"Exif\0\0nonsense",
    ],
)
def test_broken_metadata_are_named_and_print_nothing(broken: bytes) -> None:
    content = saved(Image.fromarray(COLOUR), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(broken) + 2) + broken
    plain, _ = shown(content)
    found, conversions = shown(content[:2] + segment + content[2:])
    assert np.array_equal(found, plain)
    assert conversions == ("broken metadata",)


def transparent_palette() -> bytes:
    return saved(indexed(), transparency=bytes([255, 0, 255, 255]))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (saved(Image.fromarray(COLOUR).convert("CMYK"), "JPEG"), "in CMYK, inks"),
        (
            saved(Image.fromarray(np.concatenate([COLOUR, ALPHA - 1], axis=2))),
            "is transparent in places",
        ),
        (transparent_palette(), "is transparent in places"),
        (
            saved(Image.fromarray(COLOUR), transparency=tuple(COLOUR[2, 2].tolist())),
            "is transparent in places",
        ),
        (
            saved(
                Image.fromarray(COLOUR), save_all=True, append_images=[Image.fromarray(COLOUR // 2)]
            ),
            "holds several pictures",
        ),
        (
            saved(
                Image.fromarray(COLOUR),
                "MPO",
                save_all=True,
                append_images=[Image.fromarray(COLOUR)],
            ),
            "holds several pictures",
        ),
        (png(GREYS.astype(np.uint16) * 16, 0), "16-bit grey whose values all lie below 4,096"),
        (saved(Image.fromarray(COLOUR), "TIFF"), "a TIFF image .*save it as PNG"),
        (saved(Image.fromarray(COLOUR), "GIF"), "a GIF image .*save it as PNG"),
    ],
    ids=range(9),
)
def test_where_somebody_would_have_to_choose_the_file_is_refused(
    content: bytes, complaint: str
) -> None:
    with pytest.raises(UserError, match=f"a.png .*{complaint}"):
        shown(content)


@given(
    edits=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
    kind=st.sampled_from(["PNG", "JPEG"]),
)
def test_damage_ends_in_pixels_or_in_a_mistake_of_the_file(
    edits: list[tuple[int, int]], kind: str
) -> None:
    content = bytearray(saved(Image.fromarray(COLOUR), kind, exif=exif(6)))
    for place, value in edits:
        content[place % len(content)] = value
    with contextlib.suppress(UserError):
        assert shown(bytes(content))[0].ndim == 3


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "GIF", "BMP"])
def test_an_image_of_another_kind_is_told_whatever_its_name(kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("Pillow was built without AVIF")
    content = saved(Image.fromarray(COLOUR), kind)
    with pytest.raises(UserError) as caught:
        shown(content)
    named = kind.replace("WEBP", "WebP")
    assert f"{named} image (its first bytes say so), not JPEG or PNG: save it" in str(caught.value)


def test_a_png_by_the_name_of_a_jpeg_is_read() -> None:
    pixels, _ = decode(saved(Image.fromarray(COLOUR)), Path("a.jpg"))
    assert np.array_equal(pixels, COLOUR)


def test_a_page_by_the_name_of_an_image_is_told() -> None:
    with pytest.raises(UserError, match=r"a\.png is an HTML page .*login or a confirmation"):
        shown(b"<!doctype html><title>Sign in</title>")
