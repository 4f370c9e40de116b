"""Short processes end with their own status, also on a machine that has too much to do."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import tiny

from topdb.datasets.building import build_index

PROCESSES = 1_000
AT_ONCE = 3 * (os.cpu_count() or 1)


def test_a_thousand_short_trainings_end_with_status_0(tmp_path, request):
    if not request.config.getoption("--soak"):
        pytest.skip("tried by `make soak`: it takes half an hour")
    tiny.write_params(tmp_path, {"scale.epochs": 1})
    tiny.draw_market(tmp_path / "data/market1501")
    index = tmp_path / "index.parquet", tmp_path / "pixels.npy"
    build_index("market1501", "market1501", tmp_path / "data/market1501", *index)

    def train(number: int) -> tuple[int, str]:
        command = ["train", "market1501", "baseline", "2", "--index", str(index[0])]
        command += ["--pixels", str(index[1]), "--out", f"out-{number}"]
        with tiny.start(tmp_path, *command) as process:
            _, said = process.communicate()
        status = process.returncode
        return status, said if status or "terminate" in said else ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert Counter(pool.map(train, range(PROCESSES))) == {(0, ""): PROCESSES}
