"""Figures of files as images of the page."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from topdb.errors import UserError

WIDEST = 1440
"""Pixels; enough for the page's column on a dense screen."""
_CAPTIONS = {
    "figure2": "Figure 2. Input, activation map over it, and drop mask of chosen queries.",
    "figure3": (
        "Figure 3. The same query by the baseline and by Top-DB-Net during training: activation "
        "maps and the nearest gallery images, right and wrong ones marked."
    ),
}


@dataclass(frozen=True)
class Figure:
    """An image with its size, in pixels, and its caption."""

    source: str
    """A `data:` address."""
    width: int
    height: int
    caption: str


def read_figure(path: Path) -> Figure:
    """Read an image file, as WebP that is no wider than the page needs.

    Raises
    ------
    UserError
        The file is missing or is no image.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: make it first, or leave --figure out.") from None
    except (UnidentifiedImageError, OSError) as error:
        raise UserError(f"{path} is no readable image ({error}): make it again.") from None
    if image.width > WIDEST:
        height = round(image.height * WIDEST / image.width)
        image = image.resize((WIDEST, height), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=80, method=4)
    return Figure(
        source=f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}",
        width=image.width,
        height=image.height,
        caption=_CAPTIONS.get(path.stem, path.stem),
    )
