"""CUHK03's MATLAB files, small, in the formats of the published ones."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

PEOPLE_OF_PAIRS = (4, 3, 1, 1, 1)
ABSENT = {(1, 2, 5), (1, 4, 10), (2, 1, 3)}
"""Pair, person and number of the images that are empty cells."""

NUMBERS = (1, 2, 5, 6, 7, 10)
TEST_SETS = [[(1, 1 + n % 4), (2, 1 + n % 3)] for n in range(20)]
TRAIN = [(1, 1), (1, 3), (2, 1), (3, 1), (4, 1), (5, 1)]
TEST = [(1, 2), (1, 4), (2, 2), (2, 3)]


def people() -> list[tuple[int, int]]:
    return [
        (pair, person)
        for pair, count in enumerate(PEOPLE_OF_PAIRS, start=1)
        for person in range(1, count + 1)
    ]


def numbers_of(pair: int, person: int) -> list[int]:
    return [n for n in NUMBERS if (pair, person, n) not in ABSENT]


def file_name(pair: int, person: int, number: int) -> str:
    return f"{pair}_{person:03d}_{1 if number <= 5 else 2}_{number:02d}.png"


def pixels(boxes: str, pair: int, person: int, number: int) -> NDArray[np.uint8]:
    """An image whose sides differ, so that exchanged axes show."""
    rng = np.random.default_rng([len(boxes), pair, person, number])
    return rng.integers(0, 256, (12 + number, 6 + person, 3), dtype=np.uint8)


def write_release(path: Path, kinds: tuple[str, ...] = ("detected", "labeled")) -> Path:
    """Write cuhk-03.mat: MATLAB 7.3, where a cell is a reference into the group #refs#."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        store = file.create_group("#refs#")

        def stored(content: NDArray[Any], kind: str, empty: bool = False) -> h5py.Reference:
            item = store.create_dataset(f"r{len(store)}", data=content)
            item.attrs["MATLAB_class"] = np.bytes_(kind)
            if empty:
                item.attrs["MATLAB_empty"] = np.uint8(1)
            return item.ref

        def cell(rows: list[list[h5py.Reference]]) -> NDArray[Any]:
            """A MATLAB cell of rows x columns, whose dimensions HDF5 holds reversed."""
            return np.array(rows, dtype=h5py.ref_dtype).T

        def image(boxes: str, pair: int, person: int, number: int) -> h5py.Reference:
            if number not in numbers_of(pair, person):
                return stored(np.zeros(2, np.uint64), "double", empty=True)
            return stored(pixels(boxes, pair, person, number).T, "uint8")

        for boxes in kinds:
            pairs = []
            for pair, count in enumerate(PEOPLE_OF_PAIRS, start=1):
                rows = [
                    [image(boxes, pair, person, number) for number in range(1, 11)]
                    for person in range(1, count + 1)
                ]
                pairs.append([stored(cell(rows), "cell")])
            file.create_dataset(boxes, data=cell(pairs)).attrs["MATLAB_class"] = np.bytes_("cell")
        sets = [[stored(np.array(chosen, np.float64).T, "double")] for chosen in TEST_SETS]
        file.create_dataset("testsets", data=cell(sets))
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: PCWIN64, HDF5 schema 1.00 .".ljust(124))
        stream.write(b"\x00\x02IM")
    return path


def write_protocol(path: Path, **changes: Any) -> Path:
    """Write cuhk03_new_protocol_config_*.mat: MATLAB 5, columns, places counted from 1."""
    images = [(pair, person, n) for pair, person in people() for n in numbers_of(pair, person)]
    who = [(pair, person) for pair, person, _ in images]
    queries = {
        next(place for place, (*them, n) in enumerate(images) if tuple(them) == each and n in view)
        for each in TEST
        for view in ((1, 2, 3, 4, 5), (6, 7, 8, 9, 10))
    }
    places = {
        "train_idx": [place for place, each in enumerate(who) if each in TRAIN],
        "query_idx": sorted(queries),
        "gallery_idx": [
            place for place, each in enumerate(who) if each in TEST and place not in queries
        ],
    }
    filelist = np.empty((len(images), 1), object)
    filelist[:, 0] = [file_name(*each) for each in images]
    content: dict[str, Any] = {
        "filelist": filelist,
        "labels": np.array([[1 + people().index(each)] for each in who], np.uint16),
        "camId": np.array([[1 if n <= 5 else 2] for *_, n in images], np.uint8),
        **{name: np.array(column, np.uint16)[:, None] + 1 for name, column in places.items()},
        **changes,
    }
    savemat(path, content, do_compression=True)
    return path
