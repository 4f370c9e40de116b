import pytest
import torch

from topdb.methods.parts.drop import activation_map
from topdb.methods.parts.stages import average


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_average_and_its_gradient_are_those_of_mean_bit_for_bit(layout):
    features = torch.randn(4, 6, 12, 4).contiguous(memory_format=layout)
    weights = torch.randn(4, 6)
    gradients = []
    for pool in (average, lambda each: each.mean(dim=(2, 3))):
        given = features.clone(memory_format=torch.preserve_format).requires_grad_()
        pooled = pool(given)
        (pooled * weights).sum().backward()
        gradients.append((pooled, given.grad))
    assert torch.equal(gradients[0][0], gradients[1][0])
    assert torch.equal(gradients[0][1], gradients[1][1])


def test_the_square_is_the_power_of_two_bit_for_bit():
    features = torch.randn(2, 5, 6, 3)
    assert torch.equal(activation_map(features, 2.0), features.abs().pow(2.0).sum(dim=1))
