"""Features of other toolkits: what is read, what is assumed, and what is refused in a sentence."""

import io
import pickle
import random
import resource
import shutil
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import examples_of_formats as examples
import h5py
import numpy as np
import pytest
import scipy.io
import tiny
import torch
from safetensors.numpy import save_file

from topdb.errors import UserError
from topdb.formats import Read, formats, read
from topdb.formats._start import START
from topdb.results.features import Features

CASES = tiny.ROOT / "tests/cases"
NAMES = tuple(Features.__dataclass_fields__)


def written(folder: Path, **changes: Any) -> Path:
    """A file as topdb documents it, with changes; None leaves an array out."""
    content = examples.arrays() | changes
    path = folder / "x.npz"
    np.savez(path, **{name: value for name, value in content.items() if value is not None})
    return path


def refused(paths: Path | list[Path], *words: str) -> str:
    """Return the one sentence that refuses the files; it holds all the words."""
    with pytest.raises(UserError) as told:
        read(paths if isinstance(paths, list) else [paths])
    said = str(told.value)
    assert said.isprintable()
    assert said.endswith(".")
    for word in words:
        assert word in said
    return said


def same(found: Read, *, paths: bool = True) -> None:
    for name, value in examples.arrays().items():
        own = getattr(found.features, name)
        if name.endswith("features"):
            assert own.dtype == np.float32
            assert own.flags.c_contiguous
        if paths or not name.endswith("paths"):
            np.testing.assert_array_equal(own, value)


# ---- what is read -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", examples.WRITERS)
def test_a_toolkits_files_are_read(name, tmp_path):
    write, layout = examples.WRITERS[name]
    found = read(write(tmp_path))
    same(found, paths=False)
    assert found.layout == layout
    assert found.junk == 0
    assert found.cameras
    assert ("cosine" in found.sentence) == layout.startswith("fast-reid")
    assert "5 queries, 12 gallery images" in found.sentence


@pytest.mark.parametrize("name", ["npz", "npy with lists", "csv", "matlab 7.3", "hdf5"])
def test_paths_come_along(name, tmp_path):
    same(read(examples.WRITERS[name][0](tmp_path)))


@pytest.mark.parametrize("name", examples.WRITERS)
def test_one_format_recognises_a_file_whatever_it_is_called(name, tmp_path):
    for path in examples.WRITERS[name][0](tmp_path):
        start = path.read_bytes()[:START]
        other = path.rename(path.with_suffix(".data"))
        assert len([each for each in formats().values() if each.recognises(other, start)]) == 1


def test_formats_are_found_by_their_folder():
    known = formats()
    folder = Path(examples.__file__).parents[2] / "topdb/formats"
    files = [path for path in folder.glob("*.py") if not path.name.startswith("_")]
    assert len(known) == len(files) >= 7
    assert all(each.TITLE.startswith("a") for each in known.values())


@pytest.mark.parametrize(
    "name",
    [
        *("ok.npz", "nopaths.npz", "labels_2d_from_loadmat.npz", "transposed.npz"),
        *("pytorch_result.mat", "feats.pth"),
    ],
)
def test_cases_of_users_are_the_same_features(name):
    found, right = read([CASES / name]).features, read([CASES / "ok.npz"]).features
    for each in NAMES:
        if not each.endswith("paths"):
            np.testing.assert_array_equal(getattr(found, each), getattr(right, each))


def test_junk_is_left_out_and_counted():
    found = read([CASES / "junk_kept.npz"])
    assert (found.junk, len(found.features.gallery_pids)) == (10, 230)
    assert "230 gallery images, 10 junk left out" in found.sentence
    assert found.features.gallery_paths[0].startswith("bounding_box_test/0011")


def test_an_array_of_objects_is_named():
    refused(CASES / "paths_object.npz", "query_paths", "dtype=str")


def test_distractors_stay_and_junk_queries_are_told(tmp_path):
    pids = np.array([0, 0, -1, *range(1, 10)])
    found = read([written(tmp_path, gallery_pids=pids, query_pids=np.array([1, -1, 3, 4, 5]))])
    assert (found.junk, len(found.features.query_pids)) == (2, 4)
    assert found.features.gallery_pids.tolist() == [0, 0, *range(1, 10)]
    assert any("1 images are queries" in note for note in found.notes)


# ---- shapes and kinds ---------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1])
def test_labels_of_two_dimensions(axis, tmp_path):
    names = ("query_pids", "query_camids", "gallery_pids", "gallery_camids")
    flat = examples.arrays()
    found = read([written(tmp_path, **{n: np.expand_dims(flat[n], axis) for n in names})])
    same(found)
    assert any("(1, N)" in note for note in found.notes)


def test_missing_paths_are_invented(tmp_path):
    found = read([written(tmp_path, query_paths=None, gallery_paths=None)])
    assert found.features.query_paths[0] == "query/000001"
    assert found.features.gallery_paths[-1] == "gallery/000012"
    assert any("without paths" in note for note in found.notes)


def test_transposed_features(tmp_path):
    flat = examples.arrays()
    turned = {name: flat[name].T for name in ("query_features", "gallery_features")}
    found = read([written(tmp_path, **turned)])
    same(found)
    assert any("(3, 5)" in note and "transposed" in note for note in found.notes)


def test_a_square_side_follows_the_other(tmp_path):
    square = np.arange(25, dtype=np.float32).reshape(5, 5)
    other = np.arange(60, dtype=np.float32).reshape(5, 12)
    found = read([written(tmp_path, query_features=square, gallery_features=other)])
    np.testing.assert_array_equal(found.features.query_features, square.T)
    found = read([written(tmp_path, query_features=square, gallery_features=other.T)])
    np.testing.assert_array_equal(found.features.query_features, square)


def test_features_with_parts_and_of_convolutions(tmp_path):
    flat = examples.arrays()
    parts = {name: np.stack([flat[name]] * 2, 1) for name in ("query_features", "gallery_features")}
    assert read([written(tmp_path, **parts)]).features.parts == 2
    shaped = {name: flat[name][:, :, None, None] for name in parts}
    same(read([written(tmp_path, **shaped)]))


@pytest.mark.parametrize("kind", ["uint8", "float16", "int64", "bool", ">f4", "float64", ">f8"])
def test_features_of_other_kinds(kind, tmp_path):
    flat = examples.arrays()
    changed = {
        name: np.abs(flat[name] * 9).round().clip(0, 1).astype(kind)
        for name in ("query_features", "gallery_features")
    }
    found = read([written(tmp_path, **changed)])
    np.testing.assert_array_equal(
        found.features.query_features, changed["query_features"].astype(np.float32)
    )
    assert found.features.query_features.dtype == np.float32
    assert any("read as float32" in note for note in found.notes) == (kind != ">f4")


def test_float64_is_not_narrowed_silently(tmp_path):
    exact = examples.arrays()["query_features"].astype(np.float64)
    notes = read([written(tmp_path, query_features=exact)]).notes
    assert any("nothing was lost" in note for note in notes)
    notes = read([written(tmp_path, query_features=exact + 1e-12)]).notes
    assert any("digits" in note and "lost" in note for note in notes)


def test_columns_first_storage(tmp_path):
    flat = examples.arrays()["gallery_features"]
    same(read([written(tmp_path, gallery_features=np.asfortranarray(flat))]))


def test_labels_as_whole_floats(tmp_path):
    flat = examples.arrays()
    same(read([written(tmp_path, query_pids=flat["query_pids"].astype(np.float64))]))
    refused(written(tmp_path, query_pids=flat["query_pids"] + 0.5), "query_pids", "row 0", "1.5")


def test_ids_as_texts(tmp_path):
    flat = examples.arrays()
    as_numbers = {n: np.char.zfill(flat[n].astype(str), 4) for n in ("query_pids", "gallery_pids")}
    same(read([written(tmp_path, **as_numbers)]))
    as_names = {n: np.char.add("p", flat[n].astype(str)) for n in ("query_pids", "gallery_pids")}
    as_names["gallery_pids"][3] = "-1"
    found = read([written(tmp_path, **as_names)])
    assert found.junk == 1
    same_person = found.features.query_pids[:, None] == found.features.gallery_pids
    right = flat["query_pids"][:, None] == np.delete(flat["gallery_pids"], 3)
    np.testing.assert_array_equal(same_person, right)
    assert any("texts" in note for note in found.notes)
    refused(written(tmp_path, query_pids=as_names["query_pids"]), "texts on one side")


def test_missing_cameras_are_told(tmp_path):
    found = read([written(tmp_path, query_camids=None, gallery_camids=None)])
    assert not found.cameras
    assert "no cameras" in found.sentence
    assert any("--cameras ignore" in note for note in found.notes)
    refused(written(tmp_path, query_camids=None), "the gallery has cameras")


def test_names_of_files_say_people_and_cameras(tmp_path):
    flat = examples.arrays()
    for side, count in examples.SIDES:
        np.save(tmp_path / f"{side}.npy", flat[f"{side}_features"])
        names = [
            f"a b/{flat[f'{side}_pids'][n]:04d}_c{flat[f'{side}_camids'][n]}s1_{n:06d}_00.jpg"
            for n in range(count)
        ]
        (tmp_path / f"{side}.txt").write_text("\r\n".join(names), encoding="utf-8-sig")
    found = read(sorted(tmp_path.iterdir()))
    same(found, paths=False)
    assert found.features.query_paths[0].startswith("a b/0001_c0")


def test_one_list_of_images_needs_the_number_of_queries(tmp_path):
    features, pids, camids = examples.joined()
    torch.save((torch.from_numpy(features), pids, camids), tmp_path / "x.pth")
    refused(tmp_path / "x.pth", "17 images", "num_query")
    same(read([tmp_path / "x.pth"], num_query=5), paths=False)
    for number in (0, 17, 99, -1):
        with pytest.raises(UserError, match="num_query"):
            read([tmp_path / "x.pth"], num_query=number)


def test_folders_in_paths_say_which_are_queries(tmp_path):
    features, pids, camids = examples.joined()
    flat = examples.arrays()
    paths = np.concatenate([flat["query_paths"], flat["gallery_paths"]])
    order = np.random.default_rng(1).permutation(17)
    content = {"feats": features, "pids": pids, "camids": camids, "paths": paths}
    np.savez(tmp_path / "x.npz", **{name: value[order] for name, value in content.items()})
    found = read([tmp_path / "x.npz"]).features
    assert sorted(found.query_paths) == sorted(flat["query_paths"])


def test_other_arrays_are_left_alone(tmp_path):
    odd = np.array([{}], object)
    same(read([written(tmp_path, distmat=np.full((5, 12), np.nan), extra=odd)]))


def test_unread_data_of_hdf5_is_told(tmp_path):
    [path] = examples.write_hdf5(tmp_path)
    with h5py.File(path, "a") as file:
        del file["query/paths"]
        file["query/paths"] = ["a.jpg"] * 5
    found = read([path])
    assert found.features.query_paths[0] == "query/000001"
    assert any("query/paths" in note for note in found.notes)


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"query_pids": None}, ["query_pids", "save"]),
        ({"query_features": None}, ["features of the gallery", "query"]),
        ({"query_features": None, "gallery_features": None}, ["no features", "query_features"]),
        ({"query_pids": np.arange(1, 5)}, ["5 rows", "4 values"]),
        ({"gallery_paths": np.array(["a"])}, ["12 rows", "gallery_paths", "1 values"]),
        ({"query_features": np.zeros((5, 4), np.float32)}, ["4 dimensions", "3 dimensions"]),
        ({"query_features": np.zeros((5, 2, 3), np.float32)}, ["2 parts", "3 dimensions"]),
        ({"query_features": np.zeros((0, 3), np.float32)}, ["query_features", "empty"]),
        ({"query_features": np.zeros((5, 3), complex)}, ["complex"]),
        ({"query_features": np.zeros((5, 3), "M8[D]")}, ["dates"]),
        ({"query_features": np.array([["a"] * 3] * 5)}, ["texts"]),
        ({"query_features": np.zeros((5, 3, 2, 2), np.float32)}, ["shape"]),
        ({"query_pids": np.ones(5, bool)}, ["query_pids", "true and false"]),
        ({"query_pids": np.full(5, -3)}, ["query_pids", "-3"]),
        ({"query_pids": np.full(5, 2**63, np.uint64)}, ["too large"]),
        ({"query_pids": np.full(5, np.nan)}, ["query_pids", "nan"]),
        ({"query_pids": np.full(5, -1)}, ["all 5 images", "junk"]),
        ({"query_pids": np.ones((5, 2), int)}, ["(5, 2)"]),
        ({"qf": np.zeros((5, 3))}, []),
        ({"query_features": np.full((5, 3), 1e300)}, ["row 0", "4 more", "float32"]),
    ],
)
def test_arrays_that_are_wrong_are_named(changes, words, tmp_path):
    path = written(tmp_path, **changes)
    if words:
        refused(path, "x.npz", *words)
    else:
        same(read([path]))  # the documented names go before others


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_named(value, tmp_path):
    features = examples.arrays()["gallery_features"]
    features[[4, 7]] = value
    refused(written(tmp_path, gallery_features=features), "x.npz: gallery_features row 4 (and 1")
    pids = examples.arrays()["gallery_pids"]
    pids[[0, 4]] = -1
    path = written(tmp_path, gallery_features=features, gallery_pids=pids)
    refused(path, "gallery_features row 7 holds")


def test_two_arrays_of_one_role_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", **examples.named(*examples.SIX), query_feat=np.zeros((5, 3)))
    same(read([tmp_path / "x.npz"]), paths=False)
    names = ("feat_q", "feat_g", "q_pids", "g_pids", "q_cams", "g_cams")
    np.savez(tmp_path / "x.npz", **examples.named(*names), query_feat=np.zeros((5, 3)))
    refused(tmp_path / "x.npz", "feat_q", "query_feat", "keep one")
    first = written(tmp_path)
    second = shutil.copy(first, tmp_path / "y.npz")
    refused([first, second], "x.npz", "y.npz", "keep one")


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["empty"]),
        (b"\n<!DOCTYPE html><html>", ["HTML page", "download"]),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", ["git lfs pull"]),
        (b"\xff\xd8\xff\xe0", ["JPEG", "extract"]),
        (b"\x89PNG\r\n\x1a\n", ["PNG", "extract"]),
        (b"RIFF1234WEBP", ["WebP"]),
        (b"\x1f\x8b\x08", ["gzip", "unpack"]),
        (b"PAR1", ["Parquet", "savez"]),
        (pickle.dumps({"qf": [1.0]}), ["pickle", "savez"]),
        (pickle.dumps({"qf": [1.0]}, protocol=2), ["pickle", "savez"]),
        (pickle.dumps({"qf": [1.0]}, protocol=0), ["pickle", "savez"]),
        (b'{"qf": [[1.0]]}', ["JSON", "savez"]),
        (zipped("a.jpg", b"x"), ["zip archive", "a.jpg", "unpack"]),
        (zipped("net/code/x.py", b"x"), ["TorchScript", "extract"]),
        (zipped("a.npy", b"x")[:20], ["zip archive", "damaged"]),
        ("path pid".encode("utf-16"), ["UTF-16", "UTF-8"]),
        (b"\x00\x01\x02", ["00 01 02", "docs/features.md"]),
        (b"just words", []),
        (b"\xff" * 99, ["no known kind"]),
    ],
)
def test_something_else_is_told_by_its_first_bytes(content, words, tmp_path):
    path = tmp_path / "features.npz"
    path.write_bytes(content)
    refused(path, "features.npz", *words)


def test_weights_of_a_network_are_told(tmp_path):
    weights = {"conv1.weight": torch.ones(2, 2), "conv1.bias": torch.ones(2)}
    for content in (weights, {"state_dict": weights, "epoch": 3}):
        torch.save(content, tmp_path / "x.pth")
        refused(tmp_path / "x.pth", "weights of a network", "extract")
    save_file({name: value.numpy() for name, value in weights.items()}, tmp_path / "x.safetensors")
    refused(tmp_path / "x.safetensors", "weights of a network", "extract")


class Executes:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return Path.mkdir, (self.folder,)


def test_no_code_runs(tmp_path):
    made = tmp_path / "made"
    content = examples.named(*examples.SIX) | {"extra": Executes(made)}
    torch.save(content, tmp_path / "x.pth")
    refused(tmp_path / "x.pth", "x.pth", "would run")
    np.savez(tmp_path / "x.npz", query_features=np.array([Executes(made)], object))
    refused(tmp_path / "x.npz", "objects")
    scipy.io.savemat(tmp_path / "x.mat", {"query_f": np.array([[{"a": 1}]], object)})
    refused(tmp_path / "x.mat", "x.mat")
    assert not made.exists()


def test_folders_links_and_missing_files(tmp_path):
    refused(tmp_path, "is a folder")
    refused(tmp_path / "nothing.npz", "does not exist")
    (tmp_path / "link").symlink_to(tmp_path / "nothing.npz")
    refused(tmp_path / "link", "does not exist")
    with pytest.raises(UserError, match="no file"):
        read([])
    bad = tmp_path / "a\nb\x1b.npz"
    bad.write_bytes(b"\x00\x01")
    refused(bad, "a?b?.npz")


# ---- damage -------------------------------------------------------------------------------------


def test_zip_bombs_fill_no_memory(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (2**17, 2**12)}
    )
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("query_features.npy", "w", force_zip64=True) as stream:
            stream.write(header.getvalue())
            for _ in range(2**8):
                stream.write(bytes(2**21))
        archive.writestr("gallery_features.npy", b"")
    tracemalloc.start()
    refused(path, "far more than its size allows")
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()
    scipy.io.savemat(path, {"query_f": np.zeros((2**15, 2**11))}, do_compression=True)
    refused(path, "far more than its size allows")
    with h5py.File(path, "w") as file:
        file.create_dataset("qf", (2**20, 2**20), np.float32, chunks=(2**8, 2**8))
    refused(path, "far more than its size allows")
    packed = io.BytesIO()
    torch.save({"qf": torch.zeros(2**20)}, packed)
    with (
        zipfile.ZipFile(packed) as whole,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in whole.namelist():
            archive.writestr(name, whole.read(name))
    refused(path, "unpacks to")


def test_a_file_that_names_one_list_many_times(tmp_path):
    laughs: list[Any] = [1.0] * 10
    for _ in range(12):
        laughs = [laughs] * 10
    torch.save({"qf": laughs, "gf": laughs}, tmp_path / "x.pth")
    refused(tmp_path / "x.pth", "more entries than bytes")


def test_an_array_that_claims_to_be_larger_than_memory(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 10**4)}
    )
    (tmp_path / "query.npy").write_bytes(header.getvalue() + b"1234")
    refused(tmp_path / "query.npy", "damaged or cut short")


def outcome(paths: list[Path]) -> None:
    """Read, or be refused in one sentence."""
    said = ""
    try:
        read(paths)
    except UserError as error:
        said = str(error)
    assert said.isprintable()
    assert len(said) < 1000


@pytest.mark.parametrize("name", examples.WRITERS)
def test_damaged_files_end_in_a_sentence_or_in_features(name, tmp_path):
    """Cut at many lengths, and with some bytes changed; at last whole again."""
    paths = examples.WRITERS[name][0](tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    chance = random.Random(name)
    for path in paths:
        whole = path.read_bytes()
        for length in range(0, len(whole), max(1, len(whole) // 60)):
            path.write_bytes(whole[:length])
            outcome(paths)
        for _ in range(240 // len(paths)):
            damaged = bytearray(whole)
            for _ in range(chance.choice((1, 1, 2, 4))):
                at = chance.randrange(len(damaged))
                damaged[at] = chance.choice((0, 255, damaged[at] ^ 1 << chance.randrange(8)))
            path.write_bytes(damaged)
            outcome(paths)
        path.write_bytes(whole)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**19  # KiB
    same(read(paths), paths=False)
