"""Files of torch as they may come from anywhere."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

from topdb.errors import UserError
from topdb.pickled import load_pickled


def load(path):
    return load_pickled(path, "the weights")


def with_pickle(path, change) -> None:
    """Change the pickle inside a file of torch, which is a zip archive."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, change(content) if name.endswith("/data.pkl") else content)


class Hostile:
    """To unpickle it is to make a folder."""

    def __init__(self, made) -> None:
        self.made = str(made)

    def __reduce__(self):
        return os.mkdir, (self.made,)


@pytest.mark.parametrize("new_format", [True, False], ids=["zip", "before-torch-1.6"])
def test_tensors_and_plain_values_arrive(tmp_path, new_format):
    content = {
        "state_dict": OrderedDict(weight=torch.arange(6.0).view(2, 3), count=torch.tensor(7)),
        "epoch": 400,
        "name": "x",
        "optimizer": {"state": {0: {"step": 3}}, "param_groups": [{"lr": 0.1, "betas": (0.9, 1)}]},
    }
    path = tmp_path / "file.pth"
    torch.save(content, path, _use_new_zipfile_serialization=new_format)
    loaded = load(path)
    assert torch.equal(loaded["state_dict"]["weight"], content["state_dict"]["weight"])
    assert loaded["epoch"] == 400
    assert loaded["optimizer"] == content["optimizer"]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("module", [b"numpy._core.multiarray", b"numpy.core.multiarray"])
@pytest.mark.parametrize("new_format", [True, False], ids=["zip", "before-torch-1.6"])
def test_numpys_numbers_of_both_its_ages_become_numbers(tmp_path, kind, module, new_format):
    path = tmp_path / "file.pth"
    content = {"rank1": kind(3.5), "weight": torch.ones(2)}
    torch.save(content, path, _use_new_zipfile_serialization=new_format)
    if new_format:
        with_pickle(path, lambda raw: raw.replace(b"numpy._core.multiarray", module))
    else:
        path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray", module))
    loaded = load(path)
    assert loaded["rank1"] == float(kind(3.5))
    assert type(loaded["rank1"]) is float


@pytest.mark.parametrize("value", [np.bool_(True), np.str_("x"), np.datetime64("2020-10-12")])
def test_other_values_of_numpy_are_refused(tmp_path, value):
    path = tmp_path / "file.pth"
    torch.save({"rank1": value}, path)
    with pytest.raises(UserError, match=r"is no file of torch|would run"):
        load(path)


def test_an_array_of_numpy_is_refused_and_named(tmp_path):
    path = tmp_path / "file.pth"
    torch.save({"rank1": np.zeros(3)}, path)
    with pytest.raises(UserError, match=r"would run numpy\._core\.multiarray\._reconstruct"):
        load(path)


def test_the_stand_in_takes_nothing_but_its_own_kind_of_type(tmp_path):
    class Odd:
        def __reduce__(self):
            scalar = np.float32(1).__reduce__()[0]
            return scalar, (400, b"1234")

    path = tmp_path / "file.pth"
    torch.save({"rank1": Odd()}, path)
    with pytest.raises(UserError, match="is no file of torch"):
        load(path)


@pytest.mark.parametrize("new_format", [True, False], ids=["zip", "before-torch-1.6"])
def test_a_hostile_pickle_does_not_run(tmp_path, new_format):
    made = tmp_path / "made"
    path = tmp_path / "file.pth"
    content = {"state_dict": {"weight": torch.ones(2)}, "epoch": Hostile(made)}
    torch.save(content, path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(
        UserError, match=r"would run (posix|nt|os)\.mkdir, so it was not read"
    ) as told:
        load(path)
    assert not made.exists()
    assert "\n" not in str(told.value)
    # The same file would have made the folder, had it been unpickled.
    torch.load(path, weights_only=False)
    assert made.exists()


def test_a_plain_hostile_pickle_does_not_run(tmp_path):
    made = tmp_path / "made"
    path = tmp_path / "file.pth"
    path.write_bytes(pickle.dumps(Hostile(made), protocol=2))
    with pytest.raises(UserError):
        load(path)
    assert not made.exists()
    pickle.loads(path.read_bytes())
    assert made.exists()


@pytest.mark.parametrize("new_format", [True, False], ids=["zip", "before-torch-1.6"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_named(tmp_path, new_format, share):
    buffer = io.BytesIO()
    content = {"state_dict": {str(n): torch.ones(50) for n in range(20)}}
    torch.save(content, buffer, _use_new_zipfile_serialization=new_format)
    whole = buffer.getvalue()
    path = tmp_path / "file.pth"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match="is no file of torch.*or is cut short") as told:
        load(path)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("content", [b"\x80\x02.", b"no weights", b"PK\x03\x04 cut", b"\xff" * 99])
def test_a_file_that_is_something_else_is_named(tmp_path, content):
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is no file of torch"):
        load(path)


def test_a_missing_file_or_a_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.pth \(the weights\) cannot be read"):
        load(tmp_path / "nothing.pth")
    with pytest.raises(UserError, match=r"\(the weights\) cannot be read"):
        load(tmp_path)
