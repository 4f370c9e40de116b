from importlib.metadata import version
from pathlib import Path

import pytest
import tiny
import torch

import topdb
from topdb.code import own_libraries
from topdb.config.variables import DECIDING
from topdb.errors import UserError
from topdb.planning import plan
from topdb.results.runs import Run
from topdb.runs.environment import describe, peak_gpu_memory_mib, peak_memory_mib, prepare
from topdb.runs.record import chosen
from topdb.runs.train import identity

STATUS = Path("/proc/self/status")


def test_a_run_tells_what_it_ran_on():
    described = describe("cpu", threads=3)
    assert described["threads"] == 3
    assert described["device"]
    assert described["versions"]["topdb"] == topdb.__version__
    assert described["versions"]["torch"] == torch.__version__.partition("+")[0]
    (checkout,) = described["checkouts"]
    assert ("commit" in checkout) == (checkout["state"] == "committed")
    assert described["vectors"] == torch.backends.cpu.get_cpu_capability()


def test_variables_that_decide_on_bits_are_told(monkeypatch):
    for name in DECIDING:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what a training sets itself
    assert describe("cpu", 1)["variables"] == {}
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    told = {"ATEN_CPU_CAPABILITY": "avx2", "CUBLAS_WORKSPACE_CONFIG": ":16:8"}
    assert describe("cpu", 1)["variables"] == told


def test_they_are_part_of_what_identifies_a_run_and_of_its_plan(tmp_path, monkeypatch):
    for name in DECIDING:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "papers").symlink_to(tiny.PAPERS)
    monkeypatch.chdir(tmp_path)
    params = tiny.params(tmp_path, {"datasets.market1501.render": tiny.RENDER})
    profile = params.selected(None)
    trained = chosen(profile, "market1501", "baseline")

    def decisive() -> tuple[dict, dict]:
        run = Run("market1501", "baseline", 1)
        return identity(run, profile, trained, "index", None, {}), plan(params, None)["train"]

    before = decisive()
    assert decisive() == before
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    for one, other in zip(before, decisive(), strict=True):
        assert other == one | {"variables": {"ONEDNN_MAX_CPU_ISA": "AVX2"}}


def test_a_library_that_a_method_of_ones_own_imports_has_its_version_told(tmp_path):
    own = tmp_path / "own.py"
    own.write_text("import json\nimport yaml\nfrom sklearn_that_is_nowhere import x\n")
    assert own_libraries(own) == ["yaml"]
    assert describe("cpu", 1, own)["versions"]["yaml"] == version("pyyaml")


@pytest.mark.skipif(not STATUS.exists(), reason="the kernel's own figure is Linux's")
def test_peak_memory_is_the_kernels_figure():
    (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM")]
    assert peak_memory_mib() == pytest.approx(int(line.split()[1]) / 1024, rel=0.02)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of CUDA")
def test_peak_memory_of_the_gpu_is_what_tensors_had():
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated() / 1024**2
    kept = torch.zeros(2**25, device="cuda")  # 128 MiB
    del kept
    assert peak_gpu_memory_mib("cuda") == pytest.approx(before + 128, abs=1)


def test_on_a_cpu_there_is_no_memory_of_a_gpu():
    assert peak_gpu_memory_mib("cpu") is None


def test_prepare_sets_the_number_of_threads():
    threads = torch.get_num_threads()
    try:
        prepare("cpu", 2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named_with_the_key():
    with pytest.raises(UserError, match="hardware.device is cuda.*set it to cpu"):
        prepare("cuda", 1)
