"""Where a person stands: cameras, backdrops, boxes, and the image that comes of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFilter

from topdb.drawn.figure import Brush, Pose, draw_figure
from topdb.drawn.parts import PartBrush, mapped
from topdb.drawn.people import Colour, Person

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


BoxKind = Literal["labeled", "detected", "junk", "distractor"]

OVERSAMPLING = 2
"""Scenes are drawn larger by this factor, so that edges are smooth after shrinking."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box lies relative to one that fits: shifts as shares of its sides, and its size."""

    right: float
    down: float
    size: float


def place_box(kind: BoxKind, rng: Generator) -> Box:
    """Return a box as drawn by hand, as a detector places it, badly cut, or beside the person."""
    if kind == "labeled":
        return Box(rng.uniform(-0.06, 0.06), rng.uniform(-0.025, 0.025), rng.uniform(0.95, 1.08))
    if kind == "detected":
        return Box(rng.normal(0, 0.065), rng.normal(0, 0.05), rng.uniform(0.87, 1.17))
    away = rng.choice([-1.0, 1.0])
    if kind == "junk":
        return Box(away * rng.uniform(0.3, 0.5), rng.uniform(-0.4, 0.4), rng.uniform(0.7, 1.3))
    return Box(away * rng.uniform(0.5, 1.3), rng.uniform(-0.1, 0.5), rng.uniform(0.6, 1.4))


def draw_image(
    person: Person,
    camera: Camera,
    kind: BoxKind,
    size: tuple[int, int],
    key: tuple[int, ...],
) -> NDArray[np.uint8]:
    """Return one image, (height, width, 3) uint8, RGB; `size` is (width, height) in pixels.

    Scene, box and noise have generators of their own, all derived from `key`, so that the same
    scene can be cut by another box.
    """
    large = size[0] * OVERSAMPLING, size[1] * OVERSAMPLING
    stage = _staged(person, camera, kind, large, key)
    canvas = camera.backdrop.resize(large, Pillow.Resampling.NEAREST, box=stage.window)
    draw = ImageDraw.Draw(canvas)
    brush = Brush(draw, stage.middle, stage.crown, stage.unit, stage.pose.lean)
    draw_figure(brush, person, stage.pose)
    _obstruct(draw, stage.obstacle, stage.colour, stage.where, brush)
    values = expose(canvas, camera, size, np.random.default_rng([*key, 2]))
    return values.astype(np.uint8)


def draw_parts(
    person: Person,
    camera: Camera,
    kind: BoxKind,
    size: tuple[int, int],
    key: tuple[int, ...],
) -> NDArray[np.uint8]:
    """Return the map of parts of the image that `draw_image` returns: I, U, V of each pixel."""
    stage = _staged(person, camera, kind, size, key)
    canvas = Pillow.new("L", size, 0)
    draw = ImageDraw.Draw(canvas)
    behind = math.cos(stage.pose.view) < 0
    brush = PartBrush(draw, stage.middle, stage.crown, stage.unit, stage.pose.lean, behind=behind)
    draw_figure(brush, person, stage.pose)
    _obstruct(draw, stage.obstacle, stage.colour, stage.where, brush.of("cover"))
    return mapped(np.asarray(canvas), behind)


@dataclass(frozen=True, slots=True)
class _Stage:
    """Who stands where before which part of the place, in pixels."""

    window: tuple[float, float, float, float]
    """Of the backdrop."""
    middle: float
    crown: float
    unit: float
    pose: Pose
    obstacle: float
    colour: Colour
    where: float


def _staged(
    person: Person, camera: Camera, kind: BoxKind, size: tuple[int, int], key: tuple[int, ...]
) -> _Stage:
    scene = np.random.default_rng([*key, 0])
    box = place_box(kind, np.random.default_rng([*key, 1]))
    width, height = size
    window = _window(camera, box, size, scene)
    unit = height * camera.zoom * person.stature / box.size
    soles = height * (0.5 + (0.47 - box.down) / box.size)
    pose = _pose(camera, scene)
    return _Stage(
        window=window,
        middle=width * (0.5 - box.right),
        crown=soles - unit,
        unit=unit,
        pose=pose,
        obstacle=scene.random(),
        colour=_dull(scene),
        where=scene.uniform(-1, 1),
    )


def _pose(camera: Camera, rng: Generator) -> Pose:
    """Return a pose; people mostly walk along the camera's path, in one direction or the other."""
    view = camera.view + rng.normal(0.0, 0.6) + math.pi * (rng.random() < 0.35)
    return Pose(
        view=view,
        phase=rng.uniform(0, 2 * math.pi),
        stride=rng.uniform(0.2, 1.0),
        lean=rng.normal(0.0, 0.02),
    )


def _window(
    camera: Camera, box: Box, size: tuple[int, int], rng: Generator
) -> tuple[float, float, float, float]:
    """Return the part of the camera's place that lies in the box."""
    width, height = size
    wide, high = camera.backdrop.size
    x = rng.uniform(0.8 * width, wide - 0.8 * width) + box.right * width
    y = high * 0.5 + rng.uniform(-0.06, 0.06) * height + box.down * height
    half_x, half_y = 0.35 * width * box.size, 0.35 * height * box.size
    x = min(max(x, half_x), wide - half_x)
    y = min(max(y, half_y), high - half_y)
    return x - half_x, y - half_y, x + half_x, y + half_y


def _obstruct(
    draw: ImageDraw.ImageDraw, chance: float, colour: Colour, where: float, body: Brush
) -> None:
    """Draw, in some scenes, a post, a car, a bush or a passer-by's shoulder before the person."""
    if chance < 0.06:
        (x, _), (y, _) = body.at((0.16 * where, 0)), (0.0, 0)
        draw.rectangle((x, y, x + 0.05 * body.unit, 4 * body.unit), fill=body.lit(colour))
    elif chance < 0.13:
        _, y = body.at((0, 0.68 + 0.08 * where))
        draw.rectangle((0, y, 4 * body.unit, y + 2 * body.unit), fill=body.lit(colour))
    elif chance < 0.2:
        body.oval((colour[0] // 2, 90, 50), (0.2 * where, 0.92), 0.22, 0.24)
    elif chance < 0.27:
        side = math.copysign(0.25, where)
        body.limb(colour, (side, 0.22), (side, 0.62), 0.24, 0.2)
        body.oval(colour, (side, 0.1), 0.055, 0.07)


def _dull(rng: Generator) -> Colour:
    level = int(rng.integers(40, 190))
    red, blue = rng.integers(-15, 16, 2)
    return level + int(red), level, level + int(blue)
