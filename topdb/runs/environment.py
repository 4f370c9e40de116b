"""What a run ran on: code, libraries, machine."""

import ctypes
import os
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

import torch

import topdb
from topdb.checkout import checkouts
from topdb.code import own_files, own_libraries
from topdb.config.variables import deciding
from topdb.errors import UserError

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Names of glibc's parameters (malloc.h)."""

_LIBRARIES = ("torch", "torchvision", "numpy", "pillow", "safetensors", "pyarrow", "pydantic")


def has_gpu() -> bool:
    """Whether torch finds a GPU here."""
    return torch.cuda.is_available()


def prepare(device: str, threads: int) -> None:
    """Set this process up so that the same seed gives the same bits.

    Called once, before anything is computed, by the command that trains.

    Raises
    ------
    UserError
        There is no GPU, and the parameters ask for one.
    """
    if device == "cuda" and not has_gpu():
        raise UserError(
            "hardware.device is cuda, and torch finds no GPU here: set it to cpu in params.yaml."
        )
    torch.set_num_threads(threads)
    _keep_freed_memory()
    if device == "cuda":
        # Not on a CPU: one thread gives the same bits there.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        # Some layers have no deterministic kernel there: torch then warns instead of stopping.
        torch.use_deterministic_algorithms(True, warn_only=True)


def _keep_freed_memory() -> None:
    """Tell glibc to keep what tensors give back: every step asks for the same sizes again.

    By default it returns large blocks to the kernel, which hands them out zeroed, page by page:
    a tenth of a ResNet-50's step on a CPU. Elsewhere than on glibc nothing happens.
    """
    tune = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if tune:
        tune(_M_MMAP_MAX, 0)
        tune(_M_TRIM_THRESHOLD, 2**31 - 1)


def describe(device: str, threads: int, method: Path | None = None) -> dict[str, Any]:
    """Return what git holds of the code, the libraries' versions and the machine, for `run.json`.

    `method` is the file of the method that runs. Called before anything is computed, so that an
    edit that comes later is not taken for what ran.
    """
    own = own_files(method) if method else ()
    libraries = [*_LIBRARIES, *(own_libraries(method) if method else ())]
    return {
        "checkouts": checkouts(own),
        "versions": {"topdb": topdb.__version__, "python": platform.python_version()}
        | {name: _version(name) for name in libraries},
        "device": device_name(device),
        "vectors": vectors(),
        "variables": deciding(),
        "threads": threads,
    }


def vectors() -> str:
    """Return which vector instructions torch computes with here, by its own word."""
    return torch.backends.cpu.get_cpu_capability()


def device_name(device: str) -> str:
    """Return what the GPU, or the processor, calls itself."""
    return torch.cuda.get_device_name() if device == "cuda" else _processor()


def peak_memory_mib() -> float:
    """Return the largest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform != "darwin" else 1024**2)


def peak_gpu_memory_mib(device: str) -> float | None:
    """Return the most memory that tensors of this process had on its GPU so far; None on a CPU."""
    return round(torch.cuda.max_memory_allocated() / 1024**2, 1) if device == "cuda" else None


def _version(name: str) -> str | None:
    """Return the version of what is installed under a name, or imported by it."""
    try:
        return version(name)
    except PackageNotFoundError:
        found = packages_distributions().get(name)
        return version(found[0]) if found else None


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as stream:
            names = [line.partition(":")[2].strip() for line in stream if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
