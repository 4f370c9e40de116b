"""Rendering a whole data set, into a folder that is either complete or not there."""

import json
import os
import shutil
from pathlib import Path

from PIL import Image as Pillow

from topdb.config import RenderSettings
from topdb.datasets.part_maps import write_map
from topdb.datasets.records import DISTRACTOR, JUNK, MARKER, SEAL
from topdb.drawn.people import draw_people
from topdb.drawn.publishing import Publisher, Shot, plan_shots, publisher
from topdb.drawn.scenes import BoxKind, draw_cameras, draw_image, draw_parts
from topdb.errors import UserError
from topdb.fingerprint import fingerprint

VERSION = 1
"""Raised whenever the same settings would draw other images."""

_CAMERAS, _TRAIN, _TEST, _SCENES = 0, 1, 2, 4


def render(
    settings: RenderSettings, layout: str, root: Path, parts: Path | None = None
) -> dict[str, int]:
    """Draw a data set into `root` and return its number of files by split, junk apart.

    With `parts`, a folder in `root`, each training image has a map of its parts there, as
    DensePose writes them. The images are the same with and without.

    The images are drawn beside `root` and renamed into place; a rendered data set that stood
    there is replaced. Equal settings give equal bytes on one machine.

    Raises
    ------
    UserError
        `root` holds something that was not rendered, or the layout cannot hold these settings.
    """
    _refuse_foreign(root)
    shots = plan_shots(settings)
    files = publisher(layout, shots)
    partial = root.with_name(f".{root.name}.{os.getpid()}.partial")
    try:
        inside = parts.relative_to(root) if parts else None
        _draw(settings, files, shots, partial, partial / inside if inside else None)
        counts = _counts(shots)
        (partial / SEAL).touch()
        description = {
            "version": VERSION,
            "layout": layout,
            "settings": settings.model_dump(),
            "images": counts,
            "content": fingerprint(partial, note=False),
        }
        (partial / MARKER).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        _move_into_place(partial, root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return counts


def _draw(
    settings: RenderSettings,
    files: Publisher,
    shots: list[Shot],
    folder: Path,
    parts: Path | None,
) -> None:
    share = settings.near_duplicates
    people = draw_people(settings.seed, _TRAIN, settings.train_people, share)
    people += draw_people(settings.seed, _TEST, settings.test_people, share)
    cameras = draw_cameras([settings.seed, _CAMERAS], settings.cameras, settings.height)
    for shot in shots:
        path = folder / files.path(shot)
        path.parent.mkdir(parents=True, exist_ok=True)
        camera = cameras[shot.camid]
        scene = (
            people[shot.person],
            camera,
            _box_kind(shot, files),
            (settings.width, settings.height),
            (settings.seed, _SCENES, shot.person, shot.pid + 1, shot.camid, shot.number),
        )
        image = Pillow.fromarray(draw_image(*scene))
        if files.image_format == "JPEG":
            image.save(path, "JPEG", quality=camera.quality)
        else:
            image.save(path, "PNG", compress_level=1)
        if parts and shot.split == "train":
            path = (parts / files.path(shot)).with_suffix(".png")
            path.parent.mkdir(parents=True, exist_ok=True)
            write_map(draw_parts(*scene), path)
    files.finish(folder, shots)


def _box_kind(shot: Shot, files: Publisher) -> BoxKind:
    if shot.pid == DISTRACTOR:
        return "distractor"
    return "junk" if shot.pid == JUNK else files.boxes


def _counts(shots: list[Shot]) -> dict[str, int]:
    counts = {"train": 0, "query": 0, "gallery": 0, "junk": 0}
    for shot in shots:
        counts["junk" if shot.pid == JUNK else shot.split] += 1
    return counts


def _refuse_foreign(root: Path) -> None:
    if root.is_dir() and not (root / SEAL).is_file() and any(root.iterdir()):
        raise UserError(
            f"{root} holds files that were not rendered and are not overwritten: move them, or "
            "give the data set another root in params.yaml."
        )
    if root.exists() and not root.is_dir():
        raise UserError(f"{root} is a file where a data set's folder belongs: move it.")


def _move_into_place(partial: Path, root: Path) -> None:
    old = root.with_name(f".{root.name}.{os.getpid()}.old.partial")
    if root.exists():
        root.replace(old)
    partial.replace(root)
    shutil.rmtree(old, ignore_errors=True)
