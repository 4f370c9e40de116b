"""Maps of body parts, which a user names: DensePose's IUV as PNG, one an image.

DensePose writes I, U and V by OpenCV, which calls them blue, green and red: I is the part, 1 to 24
and 0 beside the body, U and V are coordinates on its surface in 255ths.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from topdb.datasets.decoding import content_of, decode
from topdb.datasets.problems import Problems
from topdb.datasets.records import ImageRecord
from topdb.errors import UserError

PARTS = 24
_ENDINGS = ("_IUV.png", ".png")
"""DensePose's own, and the image's name alone."""
_SHOWN = 5

Map = NDArray[np.uint8]


@dataclass(frozen=True)
class PartMaps:
    """Which of some images have a map."""

    folder: Path
    files: dict[str, Path]
    """By the image's path."""
    missing: tuple[str, ...]
    """Paths of images without one."""

    def told(self) -> str:
        """Return how many images have a map, and which have none, in one sentence."""
        total = len(self.files) + len(self.missing)
        share = 100 * len(self.files) / total
        text = f"{len(self.files):,} of {total:,} training images have a part map ({share:.1f} %)"
        if not self.missing:
            return f"{text}."
        more = len(self.missing) - _SHOWN
        names = ", ".join(self.missing[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
        return f"{text}; {len(self.missing):,} have none: {names}."


def find_maps(folder: Path, records: Sequence[ImageRecord]) -> PartMaps:
    """Return the maps of the training images among some records, in their order.

    Raises
    ------
    UserError
        The folder is not there, or has no map of any image.
    """
    if not folder.is_dir():
        raise UserError(
            f"the folder of part maps {folder} does not exist: put DensePose's IUV maps there, or "
            "correct `parts` of the data set in params.yaml."
        )
    files, missing = {}, []
    for record in records:
        if record.split == "train":
            stem = (folder / record.path).with_suffix("")
            named = [stem.with_name(stem.name + ending) for ending in _ENDINGS]
            found = next((path for path in named if path.is_file()), None)
            if found:
                files[record.path] = found
            else:
                missing.append(record.path)
    if not files:
        raise UserError(
            f"{folder} has no part map of any training image: that of {missing[0]} would be "
            f"{Path(missing[0]).with_suffix('.png')} there, or end in {_ENDINGS[0]}."
        )
    return PartMaps(folder, files, tuple(missing))


def read_map(path: Path, size: tuple[int, int]) -> tuple[Map, bytes]:
    """Return I, U and V of a map, (height, width, 3) uint8, and the file's content.

    `size` is the image's height and width.

    Raises
    ------
    UserError
        The file is no image of that size, or holds numbers that are no parts.
    """
    content = content_of(path)
    found = decode(content, path)[0][:, :, ::-1]
    if found.shape[:2] != size:
        raise UserError(
            f"{path} has {found.shape[1]}x{found.shape[0]} pixels, and its image {size[1]}x"
            f"{size[0]}: make the map of that image."
        )
    parts, across, down = np.moveaxis(found, 2, 0)
    if parts.max(initial=0) > PARTS:
        swapped = " (its red has: I, U, V are to lie in blue, green, red)" * bool(
            down.max(initial=0) <= PARTS
        )
        raise UserError(
            f"{path} has the part {parts.max()} in its blue channel, and DensePose numbers 1 to "
            f"{PARTS}{swapped}: write it as DensePose does."
        )
    surface = across.any() or down.any()
    if parts.any() and (not surface or np.array_equal(parts, across)):
        raise UserError(
            f"{path} has part numbers and no U and V: name DensePose's IUV maps, not INDS."
        )
    return np.ascontiguousarray(found), content


def write_map(found: Map, path: Path) -> None:
    """Write I, U and V (height, width, 3) as DensePose does."""
    Pillow.fromarray(np.ascontiguousarray(found[:, :, ::-1])).save(path, "PNG", compress_level=1)


def verify_maps(
    folder: Path, images: Mapping[str, Path], records: Sequence[ImageRecord]
) -> PartMaps:
    """Read every map beside the size of its image; `images` are the files of the records' paths.

    Raises
    ------
    UserError
        As `find_maps` and `read_map` raise it.
    """
    maps, problems = find_maps(folder, records), Problems()
    for path, file in maps.files.items():
        with Pillow.open(images[path]) as image:
            width, height = image.size
        with problems.collecting():
            read_map(file, (height, width))
    problems.require_none()
    return maps
