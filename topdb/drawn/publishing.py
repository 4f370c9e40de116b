"""Which images a drawn data set has, and how its layout publishes them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.random import Generator

from topdb.config import RenderSettings
from topdb.datasets.records import BOUNDING_BOX_FOLDERS, DISTRACTOR, JUNK, SPLITS, Split
from topdb.errors import UserError


@dataclass(frozen=True, slots=True)
class Shot:
    """One image to draw.

    `pid` counts people from 1, the training people first; distractors and junk have the reserved
    ids, and `person` says who stands in their scene. `number` counts the images of one `pid`
    under one camera from 0.
    """

    split: Split
    pid: int
    person: int
    """Number of the person drawn, from 0 over all people."""
    camid: int
    number: int


def plan_shots(settings: RenderSettings) -> list[Shot]:
    """Return all images to draw.

    Every person is seen by two cameras or more, so that every query has a match in the gallery
    under another camera.
    """
    shots = list(_plan_train(settings))
    shots += _plan_test(settings)
    shots += _plan_extra(settings, DISTRACTOR, settings.distractors)
    shots += _plan_extra(settings, JUNK, settings.junk)
    return shots


def _plan_train(settings: RenderSettings) -> Iterator[Shot]:
    shares = _share_out(settings.train_images, settings.train_people)
    for person, images in enumerate(shares):
        cameras = _cameras_of(settings, person, settings.cameras)
        for image in range(images):
            camid, number = cameras[image % len(cameras)], image // len(cameras)
            yield Shot("train", person + 1, person, camid, number)


def _plan_test(settings: RenderSettings) -> Iterator[Shot]:
    queries = _share_out(settings.query_images, settings.test_people)
    # Counted from the other end, so that who has more queries has fewer gallery images.
    galleries = _share_out(settings.gallery_images, settings.test_people)[::-1]
    for place in range(settings.test_people):
        person = settings.train_people + place
        cameras = _cameras_of(settings, person, max(2, queries[place]))
        for camid in cameras[: queries[place]]:
            yield Shot("query", person + 1, person, camid, 0)
        for image in range(galleries[place]):
            camid, number = cameras[image % len(cameras)], 1 + image // len(cameras)
            yield Shot("gallery", person + 1, person, camid, number)


def _plan_extra(settings: RenderSettings, pid: int, images: int) -> Iterator[Shot]:
    """Plan gallery images of nobody: beside or across one of the test people."""
    for image in range(images):
        camid, number = image % settings.cameras, image // settings.cameras
        person = settings.train_people + image % settings.test_people
        yield Shot("gallery", pid, person, camid, number)


def _cameras_of(settings: RenderSettings, person: int, count: int) -> list[int]:
    """Return `count` different cameras, by chance of the person's own."""
    rng: Generator = np.random.default_rng([settings.seed, 3, person])
    return [int(camid) for camid in rng.permutation(settings.cameras)[:count]]


def _share_out(images: int, people: int) -> list[int]:
    """Return how many images each person gets; they differ by one at most."""
    return [images // people + (place < images % people) for place in range(people)]


FOLDERS = dict(BOUNDING_BOX_FOLDERS)


class Publisher(Protocol):
    """How a data set looks on disk."""

    @property
    def boxes(self) -> Literal["labeled", "detected"]:
        """Whether boxes are drawn by hand or placed by a detector."""
        ...

    @property
    def image_format(self) -> Literal["JPEG", "PNG"]:
        """Format of its images."""
        ...

    @property
    def cameras(self) -> int:
        """The most cameras that the data set has."""
        ...

    def path(self, shot: Shot) -> str:
        """Return an image's path, relative to the data set's root."""
        ...

    def finish(self, root: Path, shots: list[Shot]) -> None:
        """Write what the layout has besides images."""
        ...


@dataclass(frozen=True, slots=True)
class Market1501:
    """`bounding_box_train/0002_c1s1_000451_03.jpg`; its boxes come from a detector."""

    boxes: Literal["labeled", "detected"] = "detected"
    image_format: Literal["JPEG", "PNG"] = "JPEG"
    cameras: int = 6

    def path(self, shot: Shot) -> str:
        """Return folder and name: person, camera, sequence, frame and box."""
        person = f"{shot.pid:04d}" if shot.pid >= DISTRACTOR else "-1"
        name = f"{person}_c{shot.camid + 1}s1_{_frame(shot):06d}_{shot.number % 100:02d}.jpg"
        return f"{FOLDERS[shot.split]}/{name}"

    def finish(self, root: Path, shots: list[Shot]) -> None:
        """Write nothing: the names say everything."""


@dataclass(frozen=True, slots=True)
class DukeMtmcReid:
    """`bounding_box_train/0005_c2_f0046985.jpg`."""

    boxes: Literal["labeled", "detected"] = "labeled"
    image_format: Literal["JPEG", "PNG"] = "JPEG"
    cameras: int = 8

    def path(self, shot: Shot) -> str:
        """Return folder and name: person, camera and frame."""
        name = f"{shot.pid:04d}_c{shot.camid + 1}_f{_frame(shot):07d}.jpg"
        return f"{FOLDERS[shot.split]}/{name}"

    def finish(self, root: Path, shots: list[Shot]) -> None:
        """Write nothing: the names say everything."""


@dataclass(frozen=True, slots=True)
class Cuhk03:
    """`images_labeled/1_001_1_01.png`, and the lists of splits."""

    boxes: Literal["labeled", "detected"]
    image_format: Literal["JPEG", "PNG"] = "PNG"
    cameras: int = 2

    def path(self, shot: Shot) -> str:
        """Return folder and name: camera pair, person in it, view, image (view 2 from 6 on)."""
        pair, person = shot.person % 5 + 1, shot.person // 5 + 1
        image = shot.number + 1 + 5 * shot.camid
        return f"images_{self.boxes}/{pair}_{person:03d}_{shot.camid + 1}_{image:02d}.png"

    def finish(self, root: Path, shots: list[Shot]) -> None:
        """Write the lists of the new protocol, with their training people counted from 0."""
        lists: dict[str, object] = {}
        for split in SPLITS:
            chosen = [shot for shot in shots if shot.split == split]
            first = 1 if split == "train" else 0
            lists[split] = [[self.path(s), s.pid - first, s.camid] for s in chosen]
            lists[f"num_{split}_pids"] = len({shot.pid for shot in chosen})
            lists[f"num_{split}_imgs"] = len(chosen)
        text = json.dumps([lists], indent=1)
        (root / f"splits_new_{self.boxes}.json").write_text(text + "\n", encoding="utf-8")


PUBLISHERS: dict[str, Publisher] = {
    "market1501": Market1501(),
    "dukemtmc-reid": DukeMtmcReid(),
    "cuhk03-labeled": Cuhk03("labeled"),
    "cuhk03-detected": Cuhk03("detected"),
}


def publisher(layout: str, shots: list[Shot]) -> Publisher:
    """Return how a layout looks on disk, once it is sure that it can hold these images.

    Raises
    ------
    UserError
        The renderer does not know the layout, or the layout has no names for so many cameras,
        images of a person, distractors or junk.
    """
    if layout not in PUBLISHERS:
        raise UserError(
            f"layout '{layout}' cannot be rendered: choose one of {', '.join(PUBLISHERS)}, or "
            "remove `render` from the data set in params.yaml."
        )
    found = PUBLISHERS[layout]
    cameras = max(shot.camid for shot in shots) + 1
    if cameras > found.cameras:
        raise UserError(
            f"layout '{layout}' has {found.cameras} cameras, and render.cameras is {cameras}: "
            "lower it in params.yaml."
        )
    if layout != "market1501" and any(shot.pid <= DISTRACTOR for shot in shots):
        raise UserError(
            f"layout '{layout}' has no distractors and no junk: set render.distractors and "
            "render.junk to 0 in params.yaml."
        )
    if layout.startswith("cuhk03") and max(shot.number for shot in shots) >= 5:
        raise UserError(
            f"layout '{layout}' has at most 5 images of a person and camera: lower "
            "render.train_images or render.gallery_images in params.yaml."
        )
    return found


def _frame(shot: Shot) -> int:
    """Return a number that no other image of this person and camera has."""
    return 25 * shot.number + 1
