"""Small images as bytes."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from topdb.datasets.index import read_index
from topdb.datasets.pixels import Pixels
from topdb.errors import UserError
from topdb.params import ExamplesSettings


@dataclass(frozen=True)
class Picture:
    """An image's WebP, with its size in pixels."""

    content: bytes
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Album:
    """The images of a data set by path, from its cache of decoded pixels."""

    rows: Mapping[str, int]
    pixels: Pixels
    settings: ExamplesSettings

    @classmethod
    def open(cls, folder: Path, settings: ExamplesSettings) -> "Album":
        """Open the index and the cache of pixels of a data set's results.

        Raises
        ------
        UserError
            One of the two is missing or broken.
        """
        index = read_index(folder / "index.parquet")
        rows = {path: row for row, path in enumerate(index.paths)}
        return cls(rows, Pixels.open(folder / "pixels.npy", index), settings)

    def picture(self, path: str) -> Picture:
        """Return an image, made smaller where it is higher than the settings allow.

        Raises
        ------
        UserError
            The data set has no such image.
        """
        from PIL import Image

        if path not in self.rows:
            raise UserError(
                f"{path} is ranked and is no image of {self.pixels.index.name}: run `topdb "
                "evaluate` on features of the data set as it is indexed now."
            )
        image = Image.fromarray(self.pixels[self.rows[path]])
        if image.height > self.settings.height:
            width = max(1, round(image.width * self.settings.height / image.height))
            image = image.resize((width, self.settings.height), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        image.save(stream, "WEBP", quality=self.settings.quality, method=6)
        return Picture(stream.getvalue(), image.width, image.height)
