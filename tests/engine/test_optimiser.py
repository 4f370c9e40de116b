from dataclasses import replace

import pytest
import torch
from networks import network, recipe_of
from torch import nn

from topdb.engine.optimisers import AdamSteps, Optimisers, SGDSteps
from topdb.errors import UserError
from topdb.methods.contract import SGD, Adam

STEPS = 6
RULES = {
    "Adam": Adam(1e-2),
    "Adam without penalty": Adam(1e-2, weight_decay=0.0),
    "Adam with other betas": Adam(1e-2, betas=(0.5, 0.9)),
    "AMSGrad": Adam(1e-2, amsgrad=True),
    "AMSGrad with other betas": Adam(1e-2, betas=(0.8, 0.95), weight_decay=0.1, amsgrad=True),
    "SGD": SGD(1e-2),
    "SGD with penalty": SGD(1e-2, weight_decay=5e-4),
    "SGD with momentum": SGD(1e-2, momentum=0.9),
    "SGD with momentum and penalty": SGD(1e-2, momentum=0.9, weight_decay=5e-4),
    "Nesterov": SGD(1e-2, momentum=0.9, nesterov=True, weight_decay=5e-4),
}
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
fused_or_not = pytest.mark.parametrize("fused", [True, False], ids=["fused", "one by one"])


def torchs(rule: Adam | SGD, parameters, fused: bool) -> torch.optim.Optimizer:
    """torch's own optimiser by the same rule."""
    shared = {"weight_decay": rule.weight_decay, "fused": fused, "foreach": False}
    if isinstance(rule, Adam):
        return torch.optim.Adam(parameters, betas=rule.betas, amsgrad=rule.amsgrad, **shared)
    return torch.optim.SGD(parameters, momentum=rule.momentum, nesterov=rule.nesterov, **shared)


def own(rule: Adam | SGD, parameters, fused: bool) -> AdamSteps | SGDSteps:
    return (AdamSteps if isinstance(rule, Adam) else SGDSteps)(parameters, rule, fused)


def steps(rule: Adam | SGD, fused: bool, late: bool = False) -> None:
    """Move two equal networks side by side; with `late` a layer stands still at first."""
    theirs = nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 2))
    ours = nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 2))
    ours.load_state_dict(theirs.state_dict())
    their, our = torchs(rule, theirs.parameters(), fused), own(rule, ours.parameters(), fused)
    before = [each.clone() for each in theirs.parameters()]
    for step in range(STEPS):
        inputs = torch.randn(4, 5)
        for each in (theirs, ours):
            each.zero_grad()
            each[2].requires_grad_(not late or step >= 2)
            each(inputs).square().sum().backward()
        their.param_groups[0]["lr"] = 1e-2 / (step + 1)
        their.step()
        our.step(1e-2 / (step + 1))
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(one, other), f"step {step}"
    assert not any(map(torch.equal, before, theirs.parameters()))


@fused_or_not
@every_rule
def test_every_step_is_torchs_own_bit_for_bit(rule, fused):
    steps(rule, fused)


@every_rule
def test_so_is_that_of_a_layer_that_begins_later(rule):
    steps(rule, fused=False, late=True)  # torch's own fused steps cannot begin at several moments


@fused_or_not
@every_rule
def test_frozen_parameters_and_those_without_gradient_stay(rule, fused):
    frozen, unused, moved = (nn.Parameter(torch.ones(2)) for _ in range(3))
    frozen.requires_grad_(False)
    optimiser = own(replace(rule, weight_decay=0.1), [frozen, unused, moved], fused)
    optimiser.step(0.1)  # nothing has a gradient
    moved.square().sum().backward()
    optimiser.step(0.1)
    assert torch.equal(frozen, torch.ones(2))
    assert torch.equal(unused, torch.ones(2))
    assert not torch.equal(moved, torch.ones(2))


class TwoGroups(nn.Module):
    """What `Optimisers` asks of a method, with two groups and a parameter in none."""

    def __init__(self, **rules) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.still = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3)
        self.recipe = recipe_of(rules=rules)

    def groups(self):
        return {"first": [*self.first.parameters()], "second": [*self.second.parameters()]}

    def backward(self) -> None:
        self.still(self.second(self.first(torch.ones(2, 3)))).square().sum().backward()


def test_each_group_moves_by_its_own_rule_and_rate():
    rules = {"first": Adam(1.0), "second": SGD(1.0, momentum=0.9)}
    method, alone = TwoGroups(**rules), TwoGroups(**rules)
    optimisers = Optimisers(method, fused=True)
    assert len(optimisers.parameters) == 4
    theirs = [
        torchs(rules["first"], alone.first.parameters(), True),
        torchs(rules["second"], alone.second.parameters(), True),
    ]
    for _ in range(3):
        optimisers.zero_grad()
        method.backward()
        optimisers.step({"first": 0.01, "second": 0.001})
        alone.zero_grad()
        alone.backward()
        for optimiser, rate in zip(theirs, (0.01, 0.001), strict=True):
            optimiser.param_groups[0]["lr"] = rate
            optimiser.step()
    other = dict(alone.named_parameters())
    assert all(torch.equal(each, other[name]) for name, each in method.named_parameters())
    optimisers.zero_grad()  # of every parameter, those in no group too
    assert all(each.grad is None for each in method.parameters())


def test_what_is_remembered_is_saved_and_forgotten_as_a_whole():
    rules = {"first": Adam(1.0, amsgrad=True), "second": SGD(1.0, momentum=0.9)}
    rates = {"first": 0.01, "second": 0.001}

    def go_on(method: TwoGroups, optimisers: Optimisers) -> dict[str, torch.Tensor]:
        optimisers.zero_grad()
        method.backward()
        optimisers.step(rates)
        return {name: each.clone() for name, each in method.state_dict().items()}

    method = TwoGroups(**rules)
    optimisers = Optimisers(method, fused=True)
    weights = go_on(method, optimisers)
    kept = {name: each.clone() for name, each in optimisers.state().items()}
    assert {name.rpartition(".")[0] for name in kept} == {
        *("first.mean", "first.square", "first.largest", "first.step"),
        "second.momentum",
    }
    expected = go_on(method, optimisers)

    second = TwoGroups(**rules)
    second.load_state_dict(weights)
    taken_up = Optimisers(second, fused=True)
    taken_up.load(kept)
    found = go_on(second, taken_up)
    assert all(torch.equal(found[name], each) for name, each in expected.items())

    third = TwoGroups(**rules)
    third.load_state_dict(weights)
    optimisers.forget()
    assert not any(each.any() for each in optimisers.state().values())
    method.load_state_dict(weights)
    afresh = go_on(third, Optimisers(third, fused=True))
    found = go_on(method, optimisers)
    assert all(torch.equal(found[name], each) for name, each in afresh.items())
    assert not torch.equal(found["first.weight"], expected["first.weight"])


def test_groups_without_a_rule_and_rules_without_a_group_are_named():
    with pytest.raises(UserError, match="has rules for first, third, and the method the groups fi"):
        Optimisers(TwoGroups(first=Adam(1.0), third=Adam(1.0)), fused=True)
    built = network("top-db-net", recipe_of())
    assert len(Optimisers(built, fused=True).parameters) == len(list(built.parameters()))
