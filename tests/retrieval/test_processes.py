"""What holds between processes: the same bits, a safe cache, and a quick start."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SCORE = """
import sys
import numpy as np
from tests.retrieval.strategies import clustered
from topdb.retrieval import (
    feature_distances, rank, rank_reranked, rerank_distances, small_ranking
)
small_ranking.LARGEST_WORK = 0
case = clustered(queries=300, gallery=2500, dimensions=192, persons=150)
parts = clustered(queries=300, gallery=2500, dimensions=192, persons=150, parts=3)
np.savez(sys.argv[1], plain=rank(*case).ap, rk=rank_reranked(*case).ap,
         distances=rerank_distances(*case[:2]), sums=feature_distances(*parts[:2]),
         reranked_sums=rerank_distances(*parts[:2]))
"""


FORCED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Force kernels of another processor on OpenBLAS, whose edges round otherwise with other threads;
docs/retrieval.md promises equal bits for the kernels that it chooses itself."""


def start(script, *arguments, **environment):
    own = {name: value for name, value in os.environ.items() if name not in FORCED}
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        env=own | environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


def test_the_same_bits_with_one_and_with_two_threads(tmp_path):
    for threads in ("1", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
        finish(start(SCORE, tmp_path / threads, **dict.fromkeys(names, threads)))
    one, two = (np.load(tmp_path / f"{threads}.npz") for threads in ("1", "2"))
    for name in one.files:
        np.testing.assert_array_equal(one[name], two[name])


def test_many_processes_may_start_on_an_empty_cache(tmp_path):
    script = """
import sys
from topdb.retrieval import ranking_kernels
print(ranking_kernels.ranks_of_matches.stats.cache_path, file=sys.stderr)
"""
    processes = [start(script, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(6)]
    for process in processes:
        finish(process)
    entries = [path for path in tmp_path.rglob("*.nbc") if "ranks_of_matches" in path.name]
    assert len(entries) == 2  # one for each of float32 and float64


def test_without_a_folder_for_the_cache_kernels_are_compiled_in_memory():
    script = """
from numba.core import caching
caching.CacheImpl._locator_classes = []
from topdb.retrieval import distance_kernels
import numpy as np
block = np.ones((1, 1), np.float32)
distance_kernels.squared_distances_in_place(block, np.ones(1, np.float32), np.ones(1, np.float32))
assert block[0, 0] == 0
"""
    finish(start(script))


@pytest.mark.parametrize("parts", [None, 6])
@pytest.mark.parametrize("evaluate", ["rank", "rank_reranked"])
def test_small_evaluation_imports_no_heavy_module(evaluate, parts):
    script = f"""
import sys
from tests.retrieval.strategies import clustered
from topdb.retrieval import {evaluate}
{evaluate}(*clustered(queries=600, gallery=600, dimensions=192, parts={parts}))
assert not {{"numba", "scipy", "torch", "pandas"}} & set(sys.modules)
"""
    finish(start(script))
