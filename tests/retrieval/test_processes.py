"""What holds between processes: the same bits, a safe cache, and a quick start."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
SCORE = """
import sys
import numpy as np
from tests.retrieval.strategies import clustered
from topdb.retrieval import feature_distances, rank, rank_reranked, rerank_distances
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


RANK = """
import numpy as np
from topdb.retrieval import machine, rank, rank_distances
machine.SMALL = -1  # compile for the smallest ranking
place = np.arange(4.0)[:, None]
labels = ([1, 2], [2, 2, 1, 1], [0, 0], [1, 1, 1, 1])
assert rank(place[:2], place, *labels).first_match_rank.tolist() == [3, 1]
assert rank_distances(np.abs(place[:2] - place.T), *labels).first_match_rank.tolist() == [3, 1]
"""


def test_many_processes_may_start_on_an_empty_cache(tmp_path):
    processes = [start(RANK, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(6)]
    for process in processes:
        finish(process)
    entries = [path.name.partition("-")[0] for path in tmp_path.rglob("*.nbc")]
    # One for each of float32 and float64 distances.
    assert entries.count("kernels.ranks_of_matches") == 2
    assert entries.count("kernels.squared_distances_in_place") == 1


def test_without_a_folder_for_the_cache_kernels_are_compiled_in_memory():
    finish(
        start(f"from numba.core import caching\ncaching.CacheImpl._locator_classes = []\n{RANK}")
    )


def test_evaluation_imports_no_heavy_module_beside_numba():
    script = """
import sys
from tests.retrieval.strategies import clustered
from topdb.retrieval import rank_reranked
rank_reranked(*clustered())
assert not {"torch", "pandas"} & set(sys.modules)
"""
    finish(start(script))


def test_a_small_ranking_loads_no_compiler():
    script = """
import sys
from tests.retrieval.strategies import clustered
from topdb.retrieval import rank, top_matches
rank(*clustered())
top_matches(*clustered(), 3)
assert not {"numba", "llvmlite"} & set(sys.modules)
"""
    finish(start(script))
