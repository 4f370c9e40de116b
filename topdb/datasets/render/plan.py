"""Who is seen by which camera, how often, and in which split."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from topdb.datasets.records import DISTRACTOR, JUNK, Split
from topdb.params import RenderSettings


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
