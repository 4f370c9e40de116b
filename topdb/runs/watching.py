"""Looking at a training while it goes on, without changing a bit of it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import normalize

from topdb.config import Profile, Watch
from topdb.datasets.index import Index, Pixels
from topdb.engine.batches import Placement, resized
from topdb.errors import UserError
from topdb.methods.contract import Method
from topdb.methods.parts.augmentation import normalise
from topdb.methods.parts.drop import activation_map
from topdb.results.runs import Run
from topdb.results.snapshots import NO_IMAGE, Snapshots, with_earlier, write_snapshots
from topdb.runs.extraction import comparable, extract_rows

SHOWN_RANKS = 3
POWER = 2.0
"""p of the activation maps that figures show, whatever the method (as in the paper's Figure 2)."""
SHOWN_SIZE = (128, 64)
"""Height and width of the images that a snapshot keeps: Market-1501's own."""

Look = Callable[[int, Method], None]
"""Called after each epoch, with its number and the network."""


def look_at(
    path: Path, run: Run, profile: Profile, index: Index, pixels: Pixels, passes: int
) -> Look:
    """Return what to call after each epoch; it keeps snapshots where the profile chooses the run.

    A snapshot of epoch e replaces what the file at `path` holds of epoch e and later ones, as a
    killed and resumed training needs it. The training has so many `passes`. No generator of it is
    touched, and the network is given back in the mode in which it came.

    Raises
    ------
    UserError
        The profile names a query image that the data set does not have, or an epoch that the
        training does not have, or no query has a match.
    """
    watch = profile.watch
    if not watch.includes(run.dataset, run.method, run.seed):
        return lambda epoch, network: None
    epochs = watch.of(passes)
    if epochs[-1] > passes:
        raise UserError(
            f"snapshots.epochs names {epochs[-1]}, and the training of {run.method} has {passes}: "
            "name epochs that it has."
        )
    queries = chosen_queries(index, watch)
    identity = json.dumps(
        [run.dataset, run.method, run.seed, profile.side(run.method), index.digest]
    )

    def look(epoch: int, network: Method) -> None:
        if epoch in epochs:
            taken = _take(identity, epoch, network, index, pixels, queries, profile)
            write_snapshots(path, with_earlier(path, taken))

    return look


def chosen_queries(index: Index, watch: Watch) -> NDArray[np.int64]:
    """Return the (Q,) positions within the query split of the images to look at.

    Without named paths: the first image of each of so many people, spread evenly over those that
    the gallery shows under another camera.

    Raises
    ------
    UserError
        A named image is no query of the index, or no query has a match.
    """
    query, gallery = index.split("query"), index.split("gallery")
    if watch.query_paths:
        for path in watch.query_paths:
            if path not in query.paths:
                raise UserError(
                    f"snapshots.query_paths names {path}, which is no query image of {index.name}: "
                    f"name one such as {query.paths[0]}."
                )
        return np.array([query.paths.index(path) for path in watch.query_paths], np.int64)
    shown = set(zip(gallery.pids.tolist(), gallery.camids.tolist(), strict=True))
    cameras: dict[int, set[int]] = {}
    for pid, camid in shown:
        cameras.setdefault(pid, set()).add(camid)
    first: dict[int, int] = {}
    for position, (pid, camid) in enumerate(
        zip(query.pids.tolist(), query.camids.tolist(), strict=True)
    ):
        if cameras.get(pid, set()) - {camid}:
            first.setdefault(pid, position)
    people = sorted(first)
    if not people:
        raise UserError(
            f"no query of {index.name} has a match under another camera in the gallery: complete "
            "its images, or number people and cameras alike."
        )
    spread = np.linspace(0, len(people) - 1, min(watch.queries, len(people))).round().astype(int)
    return np.array([first[people[number]] for number in spread], np.int64)


def _take(
    identity: str,
    epoch: int,
    network: Method,
    index: Index,
    pixels: Pixels,
    queries: NDArray[np.int64],
    profile: Profile,
) -> Snapshots:
    """Return the snapshot of one epoch."""
    training = network.training
    try:
        activation, keep = _maps(
            network, pixels, index.split("query").rows[queries], epoch, profile
        )
        ranked = _ranked(network, index, pixels, queries, profile)
    finally:
        network.train(training)
    query, gallery = index.split("query"), index.split("gallery")
    found = np.unique(ranked[ranked != NO_IMAGE])
    rows = np.concatenate([query.rows[queries], gallery.rows[found]])
    own = query.pids[queries][:, None]
    right = (ranked != NO_IMAGE) & (gallery.pids[ranked] == own)
    places = np.where(ranked == NO_IMAGE, NO_IMAGE, len(queries) + np.searchsorted(found, ranked))
    return Snapshots(
        identity=identity,
        epochs=np.array([epoch]),
        activation=activation[None],
        keep=keep[None],
        ranked=places[None],
        right=right[None],
        paths=np.array([index.paths[row] for row in rows]),
        images=_small(pixels, rows),
    )


def _maps(
    network: Method,
    pixels: Pixels,
    rows: NDArray[np.int64],
    epoch: int,
    profile: Profile,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return activation maps (Q, h, w) and kept rows (Q, h); the epoch seeds a random block."""
    place, recipe = Placement.of(profile.hardware), network.recipe
    images = place.tensor(resized(pixels, rows, recipe.size, recipe.interpolation))
    network.eval()
    with torch.inference_mode():
        features = network.feature_map(place.images(normalise(images)))
        mask = network.drop_mask(features, torch.Generator().manual_seed(epoch))
        activation = activation_map(features, POWER)
        maps = normalize(activation.flatten(1), dim=1).view_as(activation)
        maps = maps.nan_to_num(0.0, 0.0, 0.0)  # of a network that diverged
        kept = torch.ones_like(features) if mask is None else mask.expand_as(features)
        keep = kept.bool().any(dim=3).any(dim=1)
    return maps.float().cpu().numpy(), keep.cpu().numpy()


def _ranked(
    network: Method,
    index: Index,
    pixels: Pixels,
    queries: NDArray[np.int64],
    profile: Profile,
) -> NDArray[np.int64]:
    """Return (Q, SHOWN_RANKS) positions in the gallery by the test feature, junk left out.

    A diverged network, whose features have no distances, ranks none.
    """
    from topdb.retrieval import top_matches  # here: most runs are not looked at, and save numba

    query, gallery = index.split("query"), index.split("gallery")
    hardware = profile.hardware
    shown = extract_rows(network, pixels, query.rows[queries], hardware)
    searched = extract_rows(network, pixels, gallery.rows, hardware)
    if not comparable(shown, searched):
        return np.full((len(queries), SHOWN_RANKS), NO_IMAGE, np.int64)
    return top_matches(
        shown,
        searched,
        query.pids[queries],
        gallery.pids,
        query.camids[queries],
        gallery.camids,
        SHOWN_RANKS,
        threads=hardware.threads,
    )


def _small(pixels: Pixels, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    height, width = SHOWN_SIZE
    images = np.empty((len(rows), height, width, 3), np.uint8)
    for position, row in enumerate(rows):
        image = Image.fromarray(pixels[int(row)])
        images[position] = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return images
