"""Released checkpoints of Table 2's competitors, in the forms in which their code saves them."""

import numpy as np
import pytest
import tiny
import torch
import yaml
from methods.golden import released_state
from safetensors.torch import load_file

from topdb.config import ScaleSettings
from topdb.methods import build, find
from topdb.methods.contract.resolving import resolved

# method, recipe of the profile, golden folder, input size
CASES = {
    "bot": ("released", "bot", (128, 64)),
    "osnet": ("released", "osnet_x1_0", (128, 64)),
    "mgn": ("described", "mgn_levy", (384, 128)),
    "mgn seathiefwang": ("seathiefwang", "mgn_seathief_avg", (384, 128)),
    "pyramid": ("released", "pyramid", (192, 64)),
    "pyrnet": ("released", "pyrnet_densenet201_256", (256, 128)),
    "abd-net": ("released", "abdnet", (128, 64)),
    "mhn": ("released", "mhn6_pcb", (192, 64)),
    "mhn ide": ("ide", "mhn6_ide", (128, 64)),
}


def saved(method: str, state: dict[str, torch.Tensor]) -> object:
    """The state dict inside of what the method's released code saves with it."""
    parallel = {f"module.{name}": value for name, value in state.items()}
    forms = {
        "osnet": {"state_dict": parallel, "epoch": 150, "rank1": np.float64(0.94), "optimizer": {}},
        "pyramid": {"state_dicts": [state, {"param_groups": []}], "ep": 112, "scores": [0.88]},
        "pyrnet": {"epoch": 99, "state_dict": parallel, "top_1": 0.9, "top_5": 0.95},
        "abd-net": {"state_dict": parallel, "rank1": 0.956, "epoch": 80},
    }
    return forms.get(method, state)


def project(folder, method: str, recipe: str, size: tuple[int, int]):
    """A profile of the paper's network at another input size."""
    changes = {"methods": [method], "scale": {"size": list(size)}, "changes": {}, "start": None}
    changes["recipes"] = {method: recipe}
    return tiny.write_params(folder, changes)


def imported(monkeypatch, folder, method, recipe, size, checkpoint) -> int:
    params = project(folder, method, recipe, size)
    return tiny.topdb(
        monkeypatch, "import-weights", checkpoint, "--method", method, "--out", folder / "run",
        "--params", params, "--profile", "tiny",
    )  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_every_entry_comes_to_its_place(case, tmp_path, monkeypatch):
    recipe, golden, size = CASES[case]
    method = case.partition(" ")[0]
    state = released_state(golden)
    path = tmp_path / "released.pth"
    torch.save(saved(method, state), path)
    assert imported(monkeypatch, tmp_path, method, recipe, size, path) == 0
    weights = load_file(tmp_path / "run/weights.safetensors")
    found = find(method)
    scale = ScaleSettings(size=size)
    with torch.device("meta"):
        network = build(found, resolved(found, method, recipe, scale), 10, scale)
    names = network.released(state)
    taken = {own: names.released(own) for own in weights if names.released(own)}
    assert len(taken) > 100
    for own, released in taken.items():
        assert torch.equal(weights[own].double(), state[released].double()), own


@pytest.mark.parametrize("case", ["bot", "mhn ide"])
def test_an_entry_too_few_or_too_many_is_named(case, tmp_path, monkeypatch, capsys):
    recipe, golden, size = CASES[case]
    method = case.partition(" ")[0]
    state = released_state(golden)
    gone = next(name for name in state if name.endswith("layer2.0.conv1.weight"))
    path = tmp_path / "released.pth"
    torch.save({name: value for name, value in state.items() if name != gone}, path)
    assert imported(monkeypatch, tmp_path, method, recipe, size, path) == 2
    assert f"lacks {gone}" in capsys.readouterr().err
    torch.save(state | {"another.weight": torch.ones(2)}, path)
    assert imported(monkeypatch, tmp_path, method, recipe, size, path) == 2
    assert "has another.weight, which is unknown" in capsys.readouterr().err


def test_a_checkpoint_of_another_variant_is_told(tmp_path, monkeypatch, capsys):
    path = tmp_path / "released.pth"
    torch.save(released_state("mhn6_ide"), path)
    assert imported(monkeypatch, tmp_path, "mhn", "released", (192, 64), path) == 2
    said = capsys.readouterr().err
    assert "its variant ide: name it under recipes.mhn" in said
    assert said.count("\n") == 1


def test_a_checkpoint_of_another_method_is_told(tmp_path, monkeypatch, capsys):
    path = tmp_path / "released.pth"
    torch.save(released_state("bot"), path)
    params = yaml.safe_load(project(tmp_path, "osnet", "released", (128, 64)).read_text())
    assert params
    assert imported(monkeypatch, tmp_path, "osnet", "released", (128, 64), path) == 2
    assert "its names are those of bot: name --method bot" in capsys.readouterr().err


def test_branches_in_the_other_order_come_to_their_places(tmp_path, monkeypatch):
    """Which branch of ABD-Net's released code is which depended on a hash seed."""
    state = released_state("abdnet")
    swapped = {}
    for name, value in state.items():
        for one, other in (("branches.0.", "branches.1."), ("branches.1.", "branches.0.")):
            if name.startswith(one):
                name = other + name.removeprefix(one)
                break
        swapped[name] = value
    swapped["common_branch.shallow_cam._cam_module_abc.gamma"] = torch.zeros(1)
    runs = []
    for number, each in enumerate((state, swapped)):
        folder = tmp_path / str(number)
        folder.mkdir()
        torch.save(each, folder / "released.pth")
        path = folder / "released.pth"
        assert imported(monkeypatch, folder, "abd-net", "released", (128, 64), path) == 0
        runs.append(load_file(folder / "run/weights.safetensors"))
    assert all(torch.equal(value, runs[1][name]) for name, value in runs[0].items())
