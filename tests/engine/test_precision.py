import pytest
import torch

from topdb.config import HardwareSettings
from topdb.engine.placement import precision
from topdb.errors import UserError

CUDA, CUDNN = torch.backends.cuda.matmul, torch.backends.cudnn


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
