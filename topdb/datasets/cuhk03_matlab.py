"""CUHK03's MATLAB files, and the images and lists that are extracted from them."""

import errno
import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy.io import loadmat

from topdb.datasets.records import CACHE_TAG, SPLITS, Split
from topdb.errors import UserError
from topdb.files import digest, one_at_a_time, parse_json
from topdb.kinds import refuse_other

Boxes = Literal["labeled", "detected"]

VIEWS_BEGIN_ANEW = 5
"""Images of a person by the first view; those of the second are counted on."""

_SIGNATURE = "Signature: 8a477f597d28d172789f06886806bc55\n"
IMAGES = "cuhk-03.mat"
_FOLDERS = ("", "cuhk03_release")
_RECORD = "extracted.json"
_AGAIN = "download it again."
_CACHE = Path(".cache/topdb")
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
_KINDS = ("matlab5", "matlab7.3", "hdf5")

_Rows = list[list[Any]]


def find_matlab_file(root: Path) -> Path | None:
    """Return `cuhk-03.mat` in a folder, or in the folder that its archive unpacks into."""
    return _find(root, IMAGES)


def extract(root: Path, boxes: Boxes) -> Path:
    """Extract `cuhk-03.mat` to `root/extracted-<boxes>`, once; return that folder.

    It is made beside its name and renamed: it is whole wherever it stands. Of processes that ask
    at once, one extracts and the others wait. It is made anew where a MATLAB file has changed.
    The lists have the form that torchreid gives them; those of the new protocol are left out
    where its configuration is not there. Where the data set is read-only, as a shared one, the
    folder lies in `.cache/topdb` below the working folder.

    Raises
    ------
    UserError
        A file is cut short, of the wrong MATLAB version, or does not hold what it should.
    OSError
        Nothing can be written there either, or the disk is full.
    """
    source = _find(root, IMAGES)
    if source is None:
        raise UserError(f"{root / IMAGES} is missing: put CUHK03's release there.")
    config = _find(root, config_name(boxes))
    sources = {path.name: digest(path) for path in (source, config) if path}
    beside, elsewhere = (place / f"extracted-{boxes}" for place in (root, _elsewhere(root)))
    for target in (beside, elsewhere):
        if _extracted_from(target) == sources:
            return target
    try:
        return _extract(source, config, boxes, beside, sources)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
    said = f"{root} cannot be written, so its images are extracted to {elsewhere}."
    print(f"topdb: {said}", file=sys.stderr)
    return _extract(source, config, boxes, elsewhere, sources)


def _elsewhere(root: Path) -> Path:
    """Return the folder for what follows from a data set that is read-only."""
    return _CACHE / hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]


def _extract(
    source: Path, config: Path | None, boxes: Boxes, target: Path, sources: Mapping[str, str]
) -> Path:
    with one_at_a_time(target):
        if _extracted_from(target) == sources:
            return target
        for stale in target.parent.glob(f".{target.name}.*.partial"):
            shutil.rmtree(stale, ignore_errors=True)
        partial = target.parent / f".{target.name}.{os.getpid()}.partial"
        try:
            _write(source, config, boxes, partial)
            _write_json(partial / _RECORD, {"sources": sources})
            _write_bytes(partial / CACHE_TAG, _SIGNATURE.encode())
            shutil.rmtree(target, ignore_errors=True)
            partial.replace(target)
        except OSError as error:
            if not str(error.filename).startswith(str(partial)):
                raise
            raise OSError(error.errno, error.strerror, str(target)) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def config_name(boxes: Boxes) -> str:
    """Return the name of the file that holds the new protocol."""
    return f"cuhk03_new_protocol_config_{boxes}.mat"


def _write(source: Path, config: Path | None, boxes: Boxes, folder: Path) -> None:
    new = _new_protocol(config) if config else None
    images = folder / f"images_{boxes}"
    images.mkdir(parents=True)
    names = []
    with _opened(source) as cells:
        for pair, person, number, pixels in cells.images(boxes):
            view = 1 if number <= VIEWS_BEGIN_ANEW else 2
            name = f"{pair}_{person:03d}_{view}_{number:02d}.png"
            _write_bytes(images / name, _png(pixels))
            names.append(name)
        test_sets = cells.test_sets()
    classic = [_lists(boxes, _classic(names, chosen)) for chosen in test_sets]
    _write_json(folder / f"splits_classic_{boxes}.json", classic)
    if new is not None:
        _write_json(folder / f"splits_new_{boxes}.json", [_lists(boxes, new)])


class _Cells:
    """The cell arrays of an open `cuhk-03.mat`."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def images(self, boxes: Boxes) -> Iterator[tuple[int, int, int, NDArray[np.uint8]]]:
        """Yield pair, person and number of an image, each from 1, and its pixels."""
        for pair, reference in enumerate(self._references(boxes), start=1):
            # HDF5 lists dimensions the other way round.
            for person, row in enumerate(self._file[reference][()].T, start=1):
                for number, image in enumerate(row, start=1):
                    pixels = self._file[image]
                    if pixels.ndim < 2:  # an empty cell, by its dimensions alone
                        continue
                    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[0] != 3:
                        raise ValueError(f"image {pair}_{person}_{number} is not uint8 RGB")
                    yield pair, person, number, np.ascontiguousarray(pixels[()].T)

    def test_sets(self) -> list[set[tuple[int, int]]]:
        """Return pair and person of the test people of each classic split."""
        found = []
        for reference in self._references("testsets"):
            people = self._file[reference][()].T.astype(np.int64)
            found.append({(int(pair), int(person)) for pair, person in people})
        return found

    def _references(self, name: str) -> Any:
        return np.ravel(self._file[name][()])


@contextmanager
def _opened(path: Path) -> Iterator[_Cells]:
    """Yield the cells of `cuhk-03.mat`; what breaks while they are read is the file's fault.

    What breaks while something else is written is not, and names that.
    """
    refuse_other(path, "CUHK03's MATLAB 7.3 file", *_KINDS)
    version = _version(path)
    if version == "5":
        raise UserError(
            f"{path} is a MATLAB 5 file, and the published one is MATLAB 7.3: take that one, or "
            "save it with -v7.3."
        )
    try:
        with h5py.File(path, "r") as file:
            yield _Cells(file)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, OSError) and error.filename not in (None, str(path)):
            raise
        raise UserError(
            f"{path} cannot be read as CUHK03's MATLAB 7.3 file ({_reason(error)}); it may be cut "
            f"short: {_AGAIN}"
        ) from None


def _new_protocol(path: Path) -> dict[Split, _Rows]:
    """Return name, person and camera (0 or 1) of each image by split."""
    refuse_other(path, "the new protocol's MATLAB 5 file", *_KINDS)
    if _version(path) == "7.3":
        raise UserError(
            f"{path} is a MATLAB 7.3 file, and the published one is MATLAB 5: take that one, or "
            "save it with -v7."
        )
    columns = ["filelist", "labels", *(f"{split}_idx" for split in SPLITS)]
    try:
        content = loadmat(path, variable_names=columns)
        names = [str(cell.item()) for cell in content["filelist"].ravel()]
        labels = content["labels"].ravel().tolist()
        rows: dict[Split, _Rows] = {}
        for split in SPLITS:
            chosen = content[f"{split}_idx"].ravel().astype(np.int64) - 1
            if chosen.min() < 0:
                raise ValueError(f"{split}_idx counts from 0")
            rows[split] = [[names[n], labels[n], int(names[n].split("_")[2]) - 1] for n in chosen]
    # scipy's reader raises whatever broken bytes lead it to, down to its own MatReadError.
    except Exception as error:
        raise UserError(
            f"{path} cannot be read as the new protocol's MATLAB 5 file ({_reason(error)}); it "
            f"may be cut short: {_AGAIN}"
        ) from None
    classes = {label: n for n, label in enumerate(sorted({row[1] for row in rows["train"]}))}
    rows["train"] = [[name, classes[label], camera] for name, label, camera in rows["train"]]
    return rows


def _classic(names: list[str], test_people: set[tuple[int, int]]) -> dict[Split, _Rows]:
    """Return the images of one classic split; all those of the test people are both."""
    classes: tuple[dict[tuple[int, int], int], ...] = ({}, {})
    rows: tuple[_Rows, _Rows] = ([], [])
    for name in names:
        pair, person, view, _ = name.split("_")
        who = (int(pair), int(person))
        tested = who in test_people
        label = classes[tested].setdefault(who, len(classes[tested]))
        rows[tested].append([name, label, int(view) - 1])
    return {"train": rows[0], "query": rows[1], "gallery": rows[1]}


def _lists(boxes: Boxes, rows: dict[Split, _Rows]) -> dict[str, object]:
    """Return a split as the toolkits store it."""
    found: dict[str, object] = {}
    for split in SPLITS:
        found[split] = [[f"images_{boxes}/{row[0]}", *row[1:]] for row in rows[split]]
        found[f"num_{split}_pids"] = len({row[1] for row in rows[split]})
        found[f"num_{split}_imgs"] = len(rows[split])
    return found


def _find(root: Path, name: str) -> Path | None:
    found = (root / folder / name for folder in _FOLDERS)
    return next((path for path in found if path.is_file()), None)


def _extracted_from(folder: Path) -> object:
    """Return the digests of the files that a folder was extracted from; None where it was not."""
    try:
        return parse_json((folder / _RECORD).read_text(encoding="utf-8"))["sources"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _version(path: Path) -> str | None:
    """Return the version of MATLAB's format that a file's first words state."""
    with path.open("rb") as stream:
        words = stream.read(19)
    stated = {b"MATLAB 5.0 MAT-file": "5", b"MATLAB 7.3 MAT-file": "7.3"}
    return stated.get(words)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:160]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    # In memory: Pillow tells of a full disk as of a broken image.
    stream = io.BytesIO()
    Pillow.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _write_json(path: Path, content: object) -> None:
    _write_bytes(path, (json.dumps(content) + "\n").encode())


def _write_bytes(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        # A write that fails knows no name, and one without is taken for the source's fault.
        raise OSError(error.errno, error.strerror, str(path)) from error
