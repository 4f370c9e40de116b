"""The same few features in the files of each toolkit, written by its own writer's calls."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
import torch
from safetensors.numpy import save_file

QUERIES, GALLERY, DIMENSIONS = 5, 12, 3
SIDES = (("query", QUERIES), ("gallery", GALLERY))


def arrays() -> dict[str, Any]:
    """Features of five queries and twelve gallery images, as topdb documents them."""
    generator = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for camera, (side, count) in enumerate(SIDES):
        found[f"{side}_features"] = generator.normal(size=(count, DIMENSIONS)).astype(np.float32)
        found[f"{side}_pids"] = np.arange(count) % QUERIES + 1
        found[f"{side}_camids"] = np.full(count, camera)
        found[f"{side}_paths"] = np.array([f"{side}/{n:04d}_é.jpg" for n in range(count)])
    return found


def named(*names: str) -> dict[str, Any]:
    """Those arrays under other names, in the order query, gallery of features, people, cameras."""
    found = arrays()
    parts = ("features", "pids", "camids")
    values = [found[f"{side}_{part}"] for part in parts for side in ("query", "gallery")]
    return dict(zip(names, values, strict=True))


SIX = ("qf", "gf", "q_pids", "g_pids", "q_camids", "g_camids")
BASELINE = ("query_f", "gallery_f", "query_label", "gallery_label", "query_cam", "gallery_cam")


def joined() -> list[Any]:
    """Features, people and cameras of all images, queries first."""
    found = arrays()
    return [
        np.concatenate([found[f"query_{part}"], found[f"gallery_{part}"]])
        for part in ("features", "pids", "camids")
    ]


def write_npz(folder: Path) -> list[Path]:
    np.savez(folder / "x.npz", **arrays())
    return [folder / "x.npz"]


def write_npz_of_torchreid(folder: Path) -> list[Path]:
    np.savez_compressed(folder / "x.npz", **named(*SIX))
    return [folder / "x.npz"]


def write_npz_by_place(folder: Path) -> list[Path]:
    np.savez(folder / "x.npz", *named(*SIX).values())
    return [folder / "x.npz"]


def write_matlab5(folder: Path) -> list[Path]:
    content = named(*BASELINE)
    for name in ("query_label", "gallery_label", "query_cam", "gallery_cam"):
        content[name] = content[name].tolist()
    scipy.io.savemat(folder / "pytorch_result.mat", content)
    return [folder / "pytorch_result.mat"]


def write_matlab5_packed(folder: Path) -> list[Path]:
    content = named(*BASELINE) | {
        f"{side}_path": np.array(arrays()[f"{side}_paths"].tolist(), object)[None]
        for side, _ in SIDES
    }
    scipy.io.savemat(folder / "x.mat", content, do_compression=True)
    return [folder / "x.mat"]


def write_matlab73(folder: Path, names: tuple[str, ...] = BASELINE) -> list[Path]:
    """MATLAB stores columns first and says the class of each; texts are numbers of letters."""
    path = folder / "x73.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in named(*names).items():
            stored = value.astype(np.float64) if value.ndim == 1 else value
            each = file.create_dataset(name, data=np.atleast_2d(stored).T)
            each.attrs["MATLAB_class"] = np.bytes_("double" if value.ndim == 1 else "single")
        texts = file.create_group("#refs#")
        for side, count in SIDES:
            cells = file.create_dataset(f"{side}_path", (count, 1), h5py.ref_dtype)
            cells.attrs["MATLAB_class"] = np.bytes_("cell")
            for number, text in enumerate(arrays()[f"{side}_paths"].tolist()):
                letters = np.array([[ord(each)] for each in text], np.uint16)
                cell = texts.create_dataset(f"{side}{number}", data=letters)
                cell.attrs["MATLAB_class"] = np.bytes_("char")
                cells[number, 0] = cell.ref
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return [path]


def write_hdf5(folder: Path) -> list[Path]:
    with h5py.File(folder / "x.h5", "w") as file:
        for name, value in named(*SIX).items():
            file.create_dataset(name, data=value, compression="gzip")
        for side, _ in SIDES:
            file[f"{side}/paths"] = np.char.encode(arrays()[f"{side}_paths"], "utf-8")
    return [folder / "x.h5"]


def write_npy(folder: Path) -> list[Path]:
    for name, value in named(*SIX).items():
        np.save(folder / f"{name}.npy", value)
    return sorted(folder.glob("*.npy"))


def write_npy_with_lists(folder: Path) -> list[Path]:
    found = arrays()
    for side, count in SIDES:
        np.save(folder / f"{side}.npy", found[f"{side}_features"])
        lines = [
            f"{found[f'{side}_paths'][n]} {found[f'{side}_pids'][n]} {found[f'{side}_camids'][n]}"
            for n in range(count)
        ]
        (folder / f"{side}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return sorted(folder.iterdir())


def write_torchreid(folder: Path) -> list[Path]:
    content = named(*SIX)
    content |= {name: torch.from_numpy(content[name]) for name in ("qf", "gf")}
    torch.save(content, folder / "feats.pth")
    return [folder / "feats.pth"]


def write_torchreid_of_old(folder: Path) -> list[Path]:
    values = [torch.from_numpy(value) for value in named(*SIX).values()]
    torch.save(tuple(values), folder / "x.pt", _use_new_zipfile_serialization=False)
    return [folder / "x.pt"]


def write_torch_threes(folder: Path) -> list[Path]:
    qf, gf, *rest = named(*SIX).values()
    query = (torch.from_numpy(qf), rest[0].tolist(), rest[2].tolist())
    gallery = (torch.from_numpy(gf), rest[1].tolist(), rest[3].tolist())
    torch.save((query, gallery), folder / "x.pt")
    return [folder / "x.pt"]


def write_torch_sides(folder: Path) -> list[Path]:
    qf, gf, *rest = named(*SIX).values()
    torch.save(
        {"qf": list(torch.from_numpy(qf)), "q_pids": rest[0], "q_camids": rest[2]},
        folder / "query_feat.pth",
    )
    torch.save(
        {"feature": torch.from_numpy(gf), "labels": rest[1], "cams": rest[3]},
        folder / "gallery_feat.pth",
    )
    return sorted(folder.iterdir())


def write_fast_reid(folder: Path) -> list[Path]:
    features, pids, camids = joined()
    content = {
        "features": torch.from_numpy(features),
        "pids": pids,
        "camids": camids,
        "num_query": QUERIES,
    }
    torch.save(content, folder / "x.pth")
    return [folder / "x.pth"]


def write_fast_reid_batches(folder: Path) -> list[Path]:
    """What its evaluator keeps: a dictionary a batch; their number of queries beside them."""
    features, pids, camids = (torch.from_numpy(each) for each in joined())
    batches = [
        {"feats": features[at : at + 4], "pids": pids[at : at + 4], "camids": camids[at : at + 4]}
        for at in range(0, len(features), 4)
    ]
    torch.save(batches, folder / "x.pth")
    (folder / "num_query.txt").write_text(f"{QUERIES}\n")
    return [folder / "x.pth", folder / "num_query.txt"]


def write_strong_baseline(folder: Path) -> list[Path]:
    """The lists of its metric: features by batch, people and cameras an image."""
    features, pids, camids = joined()
    batches = [torch.from_numpy(features[:7]), torch.from_numpy(features[7:])]
    torch.save((batches, pids.tolist(), camids.tolist(), QUERIES), folder / "x.pth")
    return [folder / "x.pth"]


def write_open_reid(folder: Path) -> list[Path]:
    """A vector under each image's name, which says person and camera."""
    found, content = arrays(), {}
    for side, count in SIDES:
        content[side] = {
            f"{found[f'{side}_pids'][n]:04d}_c{found[f'{side}_camids'][n]}s1_{n}.jpg": (
                torch.from_numpy(found[f"{side}_features"][n])
            )
            for n in range(count)
        }
    torch.save(content, folder / "x.pth")
    return [folder / "x.pth"]


def write_csv(folder: Path) -> list[Path]:
    features, pids, camids = joined()
    found = arrays()
    lines = ["path,pid,camid,split," + ",".join(f"f{n}" for n in range(DIMENSIONS))]
    for n, row in enumerate(features.tolist()):
        side, own = ("query", n) if n < QUERIES else ("gallery", n - QUERIES)
        numbers = ",".join(map(repr, row))
        lines.append(f"{found[f'{side}_paths'][own]},{pids[n]},{camids[n]},{side},{numbers}")
    (folder / "x.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [folder / "x.csv"]


def write_safetensors(folder: Path) -> list[Path]:
    save_file(named(*SIX), folder / "x.safetensors")
    return [folder / "x.safetensors"]


Writer = Callable[[Path], list[Path]]
WRITERS: dict[str, tuple[Writer, str]] = {
    "npz": (write_npz, "topdb layout"),
    "npz of other names": (write_npz_of_torchreid, "torchreid layout"),
    "npz by place": (write_npz_by_place, "torchreid layout"),
    "matlab 5": (write_matlab5, "Person_reID_baseline_pytorch layout"),
    "matlab 5, packed": (write_matlab5_packed, "Person_reID_baseline_pytorch layout"),
    "matlab 7.3": (write_matlab73, "Person_reID_baseline_pytorch layout"),
    "hdf5": (write_hdf5, "torchreid layout"),
    "npy": (write_npy, "torchreid layout"),
    "npy with lists": (write_npy_with_lists, "arrays under other names"),
    "torchreid": (write_torchreid, "torchreid layout"),
    "torchreid, of old": (write_torchreid_of_old, "torchreid layout"),
    "torch, a three a side": (write_torch_threes, "reid-strong-baseline layout"),
    "torch, a file a side": (write_torch_sides, "arrays under other names"),
    "fast-reid": (write_fast_reid, "fast-reid layout"),
    "fast-reid, batches": (write_fast_reid_batches, "fast-reid layout"),
    "reid-strong-baseline": (write_strong_baseline, "reid-strong-baseline layout"),
    "open-reid": (write_open_reid, "arrays under other names"),
    "csv": (write_csv, "arrays under other names"),
    "safetensors": (write_safetensors, "torchreid layout"),
}
