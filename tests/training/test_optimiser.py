import pytest
import torch
from torch import nn

from topdb.training.optimiser import Adam


@pytest.mark.parametrize("fused", [True, False])
def test_adam_is_torchs_own_bit_for_bit(fused):
    networks = [nn.Linear(5, 3), nn.Linear(5, 3)]
    networks[1].load_state_dict(networks[0].state_dict())
    theirs = torch.optim.Adam(networks[0].parameters(), weight_decay=5e-4, fused=fused)
    ours = Adam(networks[1].parameters(), (0.9, 0.999), 5e-4, fused)
    for step in range(5):
        inputs = torch.randn(4, 5)
        for network in networks:
            network.zero_grad()
            network(inputs).square().sum().backward()
        theirs.param_groups[0]["lr"] = 1e-2 / (step + 1)
        theirs.step()
        ours.step(1e-2 / (step + 1))
    for own, other in zip(networks[1].parameters(), networks[0].parameters(), strict=True):
        assert torch.equal(own, other)


def test_frozen_parameters_and_those_without_gradient_stay():
    frozen, unused, moved = (nn.Parameter(torch.ones(2)) for _ in range(3))
    frozen.requires_grad_(False)
    optimiser = Adam([frozen, unused, moved], (0.9, 0.999), 0.1)
    moved.square().sum().backward()
    optimiser.step(0.1)
    assert torch.equal(frozen, torch.ones(2))
    assert torch.equal(unused, torch.ones(2))
    assert not torch.equal(moved, torch.ones(2))
    optimiser.zero_grad()
    assert moved.grad is None
