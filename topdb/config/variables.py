"""Variables of the environment by which the libraries choose other kernels, and so other bits."""

import os

DECIDING = (
    *("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_CPU_ISA_HINTS"),
    *("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE", "TORCH_MKLDNN_MATMUL_MIN_DIM"),
    *("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "MKL_DEBUG_CPU_TYPE", "OPENBLAS_CORETYPE"),
    *("NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES", "NUMBA_CPU_NAME"),
    *("NUMBA_CPU_FEATURES", "GLIBC_TUNABLES"),
    *("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG"),
    "TORCH_CUDNN_V8_API_DISABLED",
)
"""ATen's, oneDNN's, MKL's, OpenBLAS', numpy's, numba's, glibc's, and those of CUDA's libraries."""
_OURS = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
"""What a training sets itself where nobody did."""


def deciding() -> dict[str, str]:
    """Return those that are set, by name, and to what; ours left out."""
    found = {name: os.environ[name] for name in DECIDING if os.environ.get(name)}
    return {name: value for name, value in found.items() if _OURS.get(name) != value}
