"""What a method learns by: its losses, what they reach, what stands still, what is drawn."""

import torch
from torch import Tensor

from topdb.methods.contract import Method, Moment
from topdb.params import HardwareSettings
from topdb.training.checks.subject import (
    Subject,
    draws,
    kept,
    losses_of,
    moments,
    nothing_drawn,
    outputs_of,
    require,
    same,
)
from topdb.training.step import forward_pass

_TAKEN = {"epoch", "learning_rate", "images", "seconds", "loss"}
"""Columns of `history.csv` that are no loss of a method's."""

_EVERY = 4
"""Of the moments, those at which a training pass is made twice."""


def losses(subject: Subject) -> None:
    """Ask for finite losses of the same names at every moment."""
    network = subject.built()
    names = None
    for moment in moments(network):
        outputs, people = outputs_of(network, moment)
        require(
            isinstance(outputs, dict)
            and all(isinstance(each, Tensor) for each in outputs.values()),
            "forward() returns no dict of tensors.",
        )
        with nothing_drawn("losses()"):
            found = network.losses(outputs, people, moment, draws(1))
        require(bool(found), "losses() returns none: return at least one.")
        require(
            names in (None, list(found)),
            "losses() returns other names at another moment: return the same in every step, zero "
            "where one does not count.",
        )
        names = list(found)
        for name, value in found.items():
            require(
                value.shape == () and value.dtype == torch.float32 and bool(value.isfinite()),
                f"the loss {name} is {tuple(value.shape)} {value.dtype}: return a finite float32 "
                "without shape.",
            )
    taken = sorted(_TAKEN & set(names or ()))
    require(not taken, f"a loss may not be called {taken[:1]}: history.csv has such a column.")
    require(
        all(name.isprintable() and not set(name) & set(", \t\"'") for name in names or ()),
        "a loss's name holds a space, comma or quote: it is a column of history.csv.",
    )


def everything_learns(subject: Subject) -> None:
    """Ask that gradients reach what groups list, sooner or later, and nothing else."""
    network = subject.built()
    reached: set[str] = set()
    for moment in moments(network):
        found = losses_of(network, moment)
        network.zero_grad()
        total = torch.stack(list(found.values())).sum()
        require(total.requires_grad, f"no loss has a gradient in epoch {moment.epoch:g}.")
        total.backward()  # type: ignore[no-untyped-call]
        reached |= {name for name, each in network.named_parameters() if each.grad is not None}
    grouped = {id(each) for group in network.groups().values() for each in group}
    trained = {name for name, each in network.named_parameters() if id(each) in grouped}
    left = sorted(trained - reached)
    require(not left, f"{left[:1]} is in a group and gets no gradient at any moment: leave it out.")
    lost = sorted(reached - trained)
    require(
        not lost,
        f"{lost[:1]} gets a gradient and is in no group: put it into one, or switch its "
        "requires_grad off.",
    )


def begin_is_pure(subject: Subject) -> None:
    """Ask that the moment alone decides on what trains, and its epoch as a whole."""
    network = subject.built()
    listed = moments(network)
    before = kept(network)

    def state(moment: Moment) -> list[bool]:
        with nothing_drawn("begin()"):
            network.begin(moment)
        modes = [module.training for module in network.modules()]
        return modes + [each.requires_grad for each in network.parameters()]

    forwards = [state(moment) for moment in listed]
    network.eval()
    for moment, expected in zip(reversed(listed), reversed(forwards), strict=True):
        require(
            state(moment) == expected,
            "begin() depends on what it was called with before: let the moment alone decide.",
        )
    for whole in range(network.recipe.epochs):
        first, later = (state(Moment(whole, whole + share)) for share in (0.0, 0.99))
        require(
            first == later,
            "begin() decides otherwise within an epoch of the recipe: a training that goes on "
            "there calls it anew, so let whole epochs decide (moment.whole).",
        )
    require(same(before, kept(network)), "begin() changes the network's state: leave it as it is.")


def generators(subject: Subject) -> None:
    """Ask that the generators decide on starting weights and on a training pass."""
    torch.manual_seed(1)
    first = subject.built(1)
    torch.manual_seed(2)
    second = subject.built(1)
    require(
        same(kept(first), kept(second)),
        "initialise() gives other weights for the same generator, or leaves some as torch drew "
        "them: draw all of them from it.",
    )
    require(
        not same(kept(first), kept(subject.built(2))),
        "initialise() gives the same weights for another generator: draw from it.",
    )
    with nothing_drawn("initialise()"):
        first.initialise(draws(3))
    for moment in moments(first)[::_EVERY]:
        with nothing_drawn("a training pass", from_torch=False):
            one, other = (losses_of(_copied(subject, second), moment) for _ in range(2))
        require(
            same(one, other),
            "a training pass gives other losses for the same generators: draw from them alone.",
        )


def autocast(subject: Subject) -> None:
    """Ask that the training pass can be computed in bfloat16."""
    network = subject.built()
    forward = forward_pass(network, HardwareSettings(autocast="bf16"))
    moment = Moment(0, 0.0)
    # What draws batches and images calls the network itself; here it is called by `forward`.
    seen: list[tuple[Tensor, Moment, torch.Generator]] = []
    handle = network.register_forward_pre_hook(lambda _, given: seen.append(given))
    outputs, people = outputs_of(network, moment)
    handle.remove()
    outputs = forward(*seen[0])
    for name, value in network.losses(outputs, people, moment, draws(1)).items():
        require(
            value.dtype == torch.float32 and bool(value.isfinite()),
            f"under autocast the loss {name} is {value.dtype}, or no finite number.",
        )


def _copied(subject: Subject, network: Method) -> Method:
    """Return a network with the weights and buffers of another: a pass changes some of them."""
    found = subject.built()
    found.load_state_dict(kept(network))
    return found
