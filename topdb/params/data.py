"""Parameters of the data sets."""

from typing import Annotated

from pydantic import Field, PositiveInt, model_validator

from topdb.params.base import Fraction, Settings
from topdb.params.names import LayoutName, PlainPath


class RenderSettings(Settings):
    """How a data set of drawn pedestrians is rendered (mini profile only).

    The data set's layout decides the rest: file names, and whether boxes are drawn by hand
    (dukemtmc-reid, cuhk03-labeled) or placed badly as a detector does (market1501,
    cuhk03-detected).
    """

    seed: Annotated[int, Field(ge=0)]
    """Seed of people, cameras and scenes; two sets with one seed show the same scenes."""
    train_people: PositiveInt
    test_people: PositiveInt
    cameras: Annotated[int, Field(ge=2)]
    train_images: PositiveInt
    """Training images in all, spread over people and cameras."""
    query_images: PositiveInt
    """At most one a person and camera, and at least one a person."""
    gallery_images: PositiveInt
    """Gallery images of the test people, without distractors and junk."""
    distractors: Annotated[int, Field(ge=0)] = 0
    """Gallery images of nobody (person id 0)."""
    junk: Annotated[int, Field(ge=0)] = 0
    """Badly cut gallery images (person id -1), which no index counts."""
    near_duplicates: Fraction = 0.5
    """Share of people who differ from somebody else in one small detail only."""
    height: Annotated[int, Field(ge=16)] = 128
    width: Annotated[int, Field(ge=8)] = 64

    @model_validator(mode="after")
    def _check(self) -> "RenderSettings":
        if self.train_images < 2 * self.train_people:
            raise ValueError(
                f"train_images is {self.train_images}, and {self.train_people} people under two "
                f"cameras each need {2 * self.train_people} or more"
            )
        if not self.test_people <= self.query_images <= self.test_people * self.cameras:
            raise ValueError(
                f"query_images is {self.query_images}; name {self.test_people} (one a person) to "
                f"{self.test_people * self.cameras} (one a person and camera)"
            )
        if self.gallery_images < 2 * self.test_people:
            raise ValueError(
                f"gallery_images is {self.gallery_images}, and {self.test_people} people under "
                f"two cameras each need {2 * self.test_people} or more"
            )
        return self


class DatasetSettings(Settings):
    """One data set: where its images lie and which published layout they follow."""

    layout: LayoutName
    title: str | None = None
    """How tables call it; default: its name."""
    root: PlainPath
    """Folder of the images, relative to the project or absolute."""
    render: RenderSettings | None = None
    """How to draw it; absent for a real data set."""
    distractors: PlainPath | None = None
    """Folder of further gallery images of nobody (Market-1501's 500k), like `root`."""
    split: Annotated[int, Field(ge=1)] | None = None
    """Which split of a layout that has several (cuhk03-classic-*: 1 to 20); default: the first."""

    @model_validator(mode="after")
    def _check(self) -> "DatasetSettings":
        if self.render and (self.distractors or self.split):
            key = "distractors" if self.distractors else "split"
            raise ValueError(
                f"{key} belongs to real data sets, and this one is drawn (render); remove one"
            )
        return self
