"""File names and folders of the published layouts, as the renderer writes them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from topdb.datasets.folders import BOUNDING_BOX_FOLDERS
from topdb.datasets.records import DISTRACTOR, SPLITS
from topdb.datasets.render.plan import Shot
from topdb.errors import UserError

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
