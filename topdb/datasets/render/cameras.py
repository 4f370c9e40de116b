"""What tells cameras apart: place, angle, distance, lens, colours and noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFilter

from topdb.datasets.render.people import Colour

Floats = NDArray[np.float32]

_MIDDLE = np.float32(110.0)
"""The level of grey that contrast leaves as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """One camera and the place it looks at."""

    backdrop: Pillow.Image
    """The place without people; wider and higher than any image cut from it."""
    colours: tuple[float, ...]
    """The sensor's colours from the scene's, as Pillow's 3 x 4 matrix in rows."""
    brightness: float
    contrast: float
    resolution: float
    """Share of the image's pixels that the sensor really had, along each side."""
    blur: float
    """Radius of the lens's blur, in pixels of the sensor."""
    noise: float
    """Standard deviation of the sensor's noise, in levels of 255, equal in all channels."""
    zoom: float
    """Height of an average person as a share of the image's."""
    view: float
    """Angle from which this camera mostly sees people, as in `Pose`."""
    quality: int
    """Of its JPEG compression."""


def draw_cameras(key: Sequence[int], count: int, height: int) -> list[Camera]:
    """Return `count` cameras for images of `height` pixels; each depends on its number alone.

    `key` seeds them.
    """
    return [_draw_camera(np.random.default_rng([*key, n]), height) for n in range(count)]


def _draw_camera(rng: Generator, height: int) -> Camera:
    return Camera(
        backdrop=_draw_backdrop(rng, height),
        colours=_colour_matrix(rng),
        brightness=float(rng.uniform(-10, 10)),
        contrast=float(rng.uniform(0.82, 1.1)),
        resolution=float(rng.uniform(0.42, 0.8)),
        blur=float(rng.uniform(0.2, 0.7)),
        noise=float(rng.uniform(4.0, 10.0)),
        zoom=float(rng.uniform(0.86, 0.95)),
        view=float(rng.uniform(0, 2 * math.pi)),
        quality=int(rng.integers(72, 93)),
    )


def _colour_matrix(rng: Generator) -> tuple[float, ...]:
    """Return a cast (gain of each channel) after a change of saturation."""
    saturation = rng.uniform(0.75, 1.05)
    gains = rng.uniform(0.95, 1.05, 3)
    grey = np.array([0.299, 0.587, 0.114])
    matrix = saturation * np.eye(3) + (1.0 - saturation) * np.tile(grey, (3, 1))
    rows = np.hstack([matrix * gains[:, None], np.zeros((3, 1))])
    return tuple(float(value) for value in rows.ravel())


def _draw_backdrop(rng: Generator, height: int) -> Pillow.Image:
    """Return a street: walls, windows and trees, and ground with lines.

    Colours vary as much along the street as between cameras; a place of one colour would make any
    two people before it look more alike than one person before two places.
    """
    size = (6 * height, 2 * height)
    horizon = int(size[1] * rng.uniform(0.45, 0.6))
    image = Pillow.new("RGB", size, _muted(rng, 110, 160))
    draw = ImageDraw.Draw(image)
    for top, low in ((0, horizon), (horizon, size[1])):
        x = 0
        while x < size[0]:
            wide = int(rng.integers(height // 2, 2 * height))
            draw.rectangle((x, top, x + wide, low), fill=_muted(rng, 70, 190))
            x += wide
    for _ in range(int(rng.integers(24, 40))):
        x, y = int(rng.integers(0, size[0])), int(rng.integers(0, horizon))
        w, h = int(rng.integers(height // 12, height // 2)), int(rng.integers(height // 8, height))
        box = (x, min(y, horizon - 4), x + w, min(y + h, horizon))
        if rng.random() < 0.3:
            draw.ellipse(box, fill=_muted(rng, 50, 120, green=20))
        else:
            draw.rectangle(box, fill=_muted(rng, 40, 220))
    for _ in range(int(rng.integers(8, 16))):
        x, slope = int(rng.integers(-height, size[0])), int(rng.integers(-height, height))
        width = int(rng.integers(2, max(3, height // 12)))
        draw.line((x, horizon, x + slope, size[1]), fill=_muted(rng, 70, 215), width=width)
    image = image.filter(ImageFilter.BoxBlur(height / 100))
    grain = rng.normal(0.0, 7.0, (size[1] // 2, size[0] // 2, 1)).repeat(2, 0).repeat(2, 1)
    return Pillow.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def _muted(rng: Generator, low: int, high: int, green: int = 0) -> Colour:
    level = rng.integers(low, high)
    red, g, blue = np.clip(level + rng.integers(-12, 13, 3) + np.array([0, green, 0]), 0, 255)
    return int(red), int(g), int(blue)


def expose(image: Pillow.Image, camera: Camera, size: tuple[int, int], rng: Generator) -> Floats:
    """Return what the sensor sees of a drawn scene, (height, width, 3) float32 in 0 to 255.

    `size` is (width, height) in pixels; the scene may be drawn larger.
    """
    width, height = size
    coarse = max(4, round(width * camera.resolution)), max(8, round(height * camera.resolution))
    small = image.resize(coarse, Pillow.Resampling.BOX).filter(ImageFilter.BoxBlur(camera.blur))
    seen = small.resize(size, Pillow.Resampling.BILINEAR).convert("RGB", camera.colours)
    light = camera.contrast * rng.uniform(0.75, 1.2)
    fall = rng.uniform(-0.14, 0.14) * (np.arange(width, dtype=np.float32) / width - 0.5) * 2.0
    values = np.asarray(seen, np.float32) - _MIDDLE
    values *= (light * (1.0 + fall)).astype(np.float32)[None, :, None]
    grain = camera.noise * rng.standard_normal((height, width, 1), dtype=np.float32)
    values += grain + (_MIDDLE + camera.brightness)
    return np.clip(values, 0.0, 255.0, out=values)
