import threading
import time

import pytest
import torch

from topdb.config import HardwareSettings
from topdb.engine.batches import loaded, precision
from topdb.errors import UserError

CUDA, CUDNN = torch.backends.cuda.matmul, torch.backends.cudnn


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_come_in_order_whoever_loads_them(workers):
    def load(order: int) -> int:
        time.sleep(0.002 * (order % 3))
        return order * order

    assert list(loaded(range(20), load, workers)) == [order * order for order in range(20)]


def test_workers_load_ahead_and_no_further_than_their_number():
    begun: list[int] = []
    threads = set()

    def load(order: int) -> int:
        begun.append(order)
        threads.add(threading.current_thread().name)
        return order

    batches = loaded(range(20), load, 2)
    assert next(batches) == 0
    time.sleep(0.05)
    assert max(begun) == 2
    assert all(name.startswith("loader") for name in threads)
    batches.close()
    assert max(begun) == 2


@pytest.mark.parametrize("workers", [0, 2])
def test_a_load_that_fails_fails_at_its_turn(workers):
    def load(order: int) -> int:
        if order == 2:
            raise ValueError("broken")
        return order

    batches = loaded(range(4), load, workers)
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(ValueError, match="broken"):
        next(batches)


def flags() -> tuple[bool, bool]:
    return CUDA.allow_tf32, CUDNN.allow_tf32


def settings(device: str, tf32: bool) -> HardwareSettings:
    return HardwareSettings(device=device, tf32=tf32)


@pytest.mark.parametrize("tf32", [False, True])
def test_both_are_what_the_parameters_say_until_the_end(tf32):
    before = flags()
    assert len(set(before)) == 2  # torch's own defaults differ: one of them has to be changed
    with pytest.raises(UserError, match="stop"), precision(settings("cuda", tf32)):
        assert flags() == (tf32, tf32)
        raise UserError("stop")
    assert flags() == before


def test_on_a_cpu_nothing_is_touched():
    before = flags()
    with precision(settings("cpu", True)):
        assert flags() == before
