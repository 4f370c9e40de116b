import re
from pathlib import Path

import pytest
import torch

import topdb
from topdb.errors import UserError
from topdb.runs.environment import describe, peak_gpu_memory_mib, peak_memory_mib, prepare

STATUS = Path("/proc/self/status")


def test_a_run_tells_what_it_ran_on():
    described = describe("cpu", threads=3)
    assert described["threads"] == 3
    assert described["device"]
    assert described["versions"]["topdb"] == topdb.__version__
    assert described["versions"]["torch"] == torch.__version__.partition("+")[0]
    git = described["git"]
    assert git is None or re.fullmatch("[0-9a-f]{40}", git["commit"])


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
