"""Features of other toolkits held against a data set's index: whose images they are."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from topdb.datasets.index import Index, Rows
from topdb.errors import UserError
from topdb.formats import Read
from topdb.results.evaluation import are_numbered

_UNTRUE_NOW = ("Images without paths were numbered", "Nothing names cameras")
"""How the notes begin of what the index knows."""


def with_index(given: Read, index: Index, source: str) -> Read:
    """Return features whose paths and cameras are those of the index, in their own order.

    Images are found by path, by file name, or where the file names none by their order, which is
    then that of the index: sorted by path. A file may number cameras otherwise.

    Parameters
    ----------
    source : the features' file, for messages

    Raises
    ------
    UserError
        Images are missing or none of the data set, or a person or camera is another than the
        index has.
    """
    features = given.features
    query, gallery = index.split("query"), index.split("gallery")
    sides = (
        ("query", features.query_paths, features.query_pids, query),
        ("gallery", features.gallery_paths, features.gallery_pids, gallery),
    )
    rows = {side: _rows(paths.tolist(), own, f"{source}: {side}") for side, paths, _, own in sides}
    for side, paths, pids, own in sides:
        differ = np.flatnonzero(pids != own.pids[rows[side]])
        if len(differ):
            row = differ[0]
            raise UserError(
                f"{source}: {side} image {row} ({paths[row]}) is person {pids[row]} in the file "
                f"and {own.pids[rows[side]][row]} in the index, and {len(differ) - 1} more differ: "
                "extract in the index's order, or write the data set's own ids."
            )
    camids = query.camids[rows["query"]], gallery.camids[rows["gallery"]]
    if given.cameras:
        _same_cameras(given, np.concatenate(camids), source)
    found = replace(
        features,
        query_paths=np.array(query.paths)[rows["query"]],
        gallery_paths=np.array(gallery.paths)[rows["gallery"]],
        query_camids=camids[0],
        gallery_camids=camids[1],
    )
    kept = tuple(note for note in given.notes if not note.startswith(_UNTRUE_NOW))
    told = f"Paths and cameras are those of the index of {index.name}, whose people they show."
    return replace(given, features=found, cameras=True, notes=(*kept, told))


def _rows(paths: list[str], own: Rows, what: str) -> NDArray[np.int64]:
    """Return the index's row of each image, within its split."""
    if len(paths) != len(own):
        raise UserError(
            f"{what} has {len(paths)} images and the index {len(own)}: extract the features of all "
            "images of the data set, junk left out."
        )
    if are_numbered(paths):
        return np.arange(len(paths))
    for names, others in (
        (paths, own.paths),
        (list(map(_short, paths)), tuple(map(_short, own.paths))),
    ):
        place = {name: row for row, name in enumerate(others)}
        if len(place) == len({*names}) == len(names) and {*names} == {*place}:
            return np.array([place[name] for name in names], np.int64)
    strange = next(iter({*map(_short, paths)} - {*map(_short, own.paths)}), paths[0])
    raise UserError(
        f"{what} images are not those of the index (as {strange}): name the index of the data set "
        "that they are of."
    )


def _short(path: str) -> str:
    return path.rpartition("/")[2]


def _same_cameras(given: Read, known: NDArray[np.int64], source: str) -> None:
    """Raise a UserError where two images of one camera are of two in the other numbering."""
    own = np.concatenate([given.features.query_camids, given.features.gallery_camids])
    pairs = np.unique(np.stack([own, known]), axis=1).shape[1]
    if not pairs == len(np.unique(own)) == len(np.unique(known)):
        raise UserError(
            f"{source} names other cameras than the index: {len(np.unique(own))} there and "
            f"{len(np.unique(known))} here, {pairs} together; write the data set's own."
        )
