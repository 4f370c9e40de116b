"""One image: a person in a pose before a camera, what stands in the way, and the box cut out."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

from topdb.datasets.render.brush import Brush
from topdb.datasets.render.cameras import Camera, expose
from topdb.datasets.render.figure import Pose, draw_figure
from topdb.datasets.render.people import Colour, Person

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
    scene = np.random.default_rng([*key, 0])
    box = place_box(kind, np.random.default_rng([*key, 1]))
    width, height = size[0] * OVERSAMPLING, size[1] * OVERSAMPLING
    canvas = _backdrop(camera, box, (width, height), scene)
    draw = ImageDraw.Draw(canvas)
    unit = height * camera.zoom * person.stature / box.size
    middle = width * (0.5 - box.right)
    soles = height * (0.5 + (0.47 - box.down) / box.size)
    pose = _pose(camera, scene)
    brush = Brush(draw, middle, soles - unit, unit, pose.lean)
    obstacle, colour, where = scene.random(), _dull(scene), scene.uniform(-1, 1)
    draw_figure(brush, person, pose)
    _obstruct(draw, obstacle, colour, where, brush)
    values = expose(canvas, camera, size, np.random.default_rng([*key, 2]))
    return values.astype(np.uint8)


def _pose(camera: Camera, rng: Generator) -> Pose:
    """Return a pose; people mostly walk along the camera's path, in one direction or the other."""
    view = camera.view + rng.normal(0.0, 0.6) + math.pi * (rng.random() < 0.35)
    return Pose(
        view=view,
        phase=rng.uniform(0, 2 * math.pi),
        stride=rng.uniform(0.2, 1.0),
        lean=rng.normal(0.0, 0.02),
    )


def _backdrop(camera: Camera, box: Box, size: tuple[int, int], rng: Generator) -> Pillow.Image:
    """Return the part of the camera's place that lies in the box."""
    width, height = size
    wide, high = camera.backdrop.size
    x = rng.uniform(0.8 * width, wide - 0.8 * width) + box.right * width
    y = high * 0.5 + rng.uniform(-0.06, 0.06) * height + box.down * height
    half_x, half_y = 0.35 * width * box.size, 0.35 * height * box.size
    x = min(max(x, half_x), wide - half_x)
    y = min(max(y, half_y), high - half_y)
    window = (x - half_x, y - half_y, x + half_x, y + half_y)
    return camera.backdrop.resize(size, Pillow.Resampling.NEAREST, box=window)


def _obstruct(
    draw: ImageDraw.ImageDraw, chance: float, colour: Colour, where: float, body: Brush
) -> None:
    """Draw, in some scenes, a post, a car, a bush or a passer-by's shoulder before the person."""
    if chance < 0.06:
        (x, _), (y, _) = body.at((0.16 * where, 0)), (0.0, 0)
        draw.rectangle((x, y, x + 0.05 * body.unit, 4 * body.unit), fill=colour)
    elif chance < 0.13:
        _, y = body.at((0, 0.68 + 0.08 * where))
        draw.rectangle((0, y, 4 * body.unit, y + 2 * body.unit), fill=colour)
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
