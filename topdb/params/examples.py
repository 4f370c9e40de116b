"""Parameters of the examples: which queries a reader is shown, and how large."""

from typing import Annotated

from pydantic import Field, PositiveInt

from topdb.params.base import Settings
from topdb.params.names import MethodName


class ExamplesSettings(Settings):
    """Queries whose ranked lists are kept as small images."""

    method: MethodName | None = None
    """Whose best, worst and most changed queries are shown; null for Top-DB-Net, or, where the
    profile does not run it, for its last method."""
    queries: PositiveInt = 2
    """Queries of each kind and data set, all of different people."""
    shown: Annotated[int, Field(ge=1, le=10)] = 10
    """Gallery images of each list."""
    height: Annotated[int, Field(ge=16, le=512)] = 112
    """Largest height of an image, in pixels; smaller ones keep their size."""
    quality: Annotated[int, Field(ge=1, le=100)] = 70
    """Of the images' WebP."""
