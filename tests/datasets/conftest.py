"""Small data sets in each published layout, made by hand."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MARKET = {
    "bounding_box_train": [
        "0002_c1s1_000451_03.jpg",
        "0002_c2s1_000301_01.jpg",
        "0007_c1s6_028546_01.jpg",
        "0007_c3s3_077419_03.jpg",
    ],
    "query": ["0001_c1s1_001051_00.jpg", "0003_c3s3_079494_00.jpg"],
    "bounding_box_test": [
        "0001_c2s1_000301_00.jpg",
        "0003_c1s6_015971_02.jpg",
        "0000_c1s1_000151_01.jpg",
        "-1_c1s1_000401_03.jpg",
    ],
}
DUKE = {
    "bounding_box_train": ["0001_c2_f0046182.jpg", "0005_c8_f0046985.jpg"],
    "query": ["0002_c1_f0044158.jpg"],
    "bounding_box_test": ["0002_c5_f0044000.jpg", "0003_c1_f0044278.jpg"],
}
CUHK03 = {
    "train": [("1_001_1_01.png", 0, 0), ("1_001_2_06.png", 0, 1), ("2_001_1_01.png", 1, 0)],
    "query": [("1_002_1_01.png", 1, 0)],
    "gallery": [("1_002_2_07.png", 1, 1), ("1_002_1_02.png", 1, 0)],
}

WriteImage = Callable[..., None]


@pytest.fixture
def write_image() -> WriteImage:
    """Write an image whose pixels depend on its name."""

    def write(path: Path, size: tuple[int, int] = (8, 16), mode: str = "RGB") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(list(path.name.encode()))
        pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(path)

    return write


@pytest.fixture
def market(tmp_path: Path, write_image: WriteImage) -> Path:
    return _boxes(tmp_path / "market", MARKET, write_image)


@pytest.fixture
def duke(tmp_path: Path, write_image: WriteImage) -> Path:
    return _boxes(tmp_path / "duke", DUKE, write_image)


@pytest.fixture
def cuhk03(tmp_path: Path, write_image: WriteImage) -> Path:
    """Both kinds of boxes in one folder, with paths in the lists that exist on no machine."""
    root = tmp_path / "cuhk03"
    for boxes in ("labeled", "detected"):
        lists = {
            split: [[f"/elsewhere/images_{boxes}/{name}", pid, camid] for name, pid, camid in rows]
            for split, rows in CUHK03.items()
        }
        for rows in CUHK03.values():
            for name, _, _ in rows:
                write_image(root / f"images_{boxes}" / name)
        (root / f"splits_new_{boxes}.json").write_text(json.dumps([lists]), encoding="utf-8")
    return root


def _boxes(root: Path, names: dict[str, list[str]], write_image: WriteImage) -> Path:
    for folder, files in names.items():
        for name in files:
            write_image(root / folder / name)
    return root
