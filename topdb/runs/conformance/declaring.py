"""What a method declares: literals, its recipe, its groups, names of others for its weights."""

import json
from dataclasses import is_dataclass

import torch

from topdb.config import FULL, declared
from topdb.engine.state import Optimisers
from topdb.methods import build
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import Moment, Recipe
from topdb.methods.contract.resolving import plain, resolved
from topdb.methods.parts.augmentation import Normalise, augmented
from topdb.methods.parts.part_maps import augmented_together
from topdb.runs.conformance.subject import (
    PEOPLE,
    Subject,
    draws,
    kept,
    moments,
    nothing_drawn,
    part_maps,
    require,
    same,
)

_FEW = 3


def literals(subject: Subject) -> None:
    """Ask that title, backbone and the word of a rebuilt method are read without an import."""
    told = declared(subject.file)
    method = subject.method
    require(
        told.title == method.title
        and told.backbone == method.backbone_name
        and told.rebuilt == method.rebuilt
        and told.needs == method.needs,
        "title, backbone_name and rebuilt have to be plain strings in the class's body, and needs "
        "a tuple of them, since the plan reads them without importing the file.",
    )
    others = sorted({*method.needs} - {"parts"})
    require(not others, f"the method needs {others[:1]}: batches carry parts, and nothing else.")
    require(
        not method.rebuilt or _is_line(method.rebuilt),
        "`rebuilt` is not one line of text: write one line.",
    )
    require(_is_line(method.title), "the title is empty or has several lines: give it one line.")


def plain_data(subject: Subject) -> None:
    """Ask that the recipe can be recorded, at this scale and at full."""
    for scale in (subject.scale, FULL):
        recipe = resolved(subject.method, subject.name, subject.side, scale)
        json.dumps(plain(recipe), allow_nan=False)
        options = recipe.options
        require(
            options is None or (_is_frozen(options) and not isinstance(options, type)),
            "the recipe's options are no frozen dataclass: declare them as one.",
        )
        require(
            all(rule.rate > 0.0 for rule in recipe.rules.values()),
            "a rule of the recipe has no rate above 0: leave the group out instead.",
        )
        lost = sorted(set(recipe.steady) - set(recipe.rules))
        require(not lost, f"the recipe keeps the rate of {lost[:1]} steady, which is no group.")
        require(
            not recipe.note or _is_line(recipe.note), "the recipe's note is not one line of text."
        )
    less = subject.built().less
    require(not less or _is_line(less), "`less` is not one line of text: write one sentence.")


def augmentation(subject: Subject) -> None:
    """Ask for images at the input's size, from the generator alone."""
    for scale in (subject.scale, FULL):
        recipe = resolved(subject.method, subject.name, subject.side, scale)
        for each in recipe.augmentation:
            require(
                _is_frozen(each) and isinstance(each.name, str),
                f"the transform {type(each).__name__} is no frozen dataclass with a name.",
            )
        normalising = [each for each in recipe.augmentation if isinstance(each, Normalise)]
        require(
            len(normalising) == 1,
            f"the augmentation holds {len(normalising)} times Normalise: put it in once.",
        )
        for moment in (Moment(0, 0.0), Moment(recipe.epochs - 1, recipe.epochs - 1.0)):
            _images_fit(recipe, moment, subject.method.needs)
        off = tuple(each.off() for each in recipe.augmentation)
        require(
            [each.name for each in off] == [each.name for each in recipe.augmentation],
            "off() of a transform has another name: return the transform itself, switched off.",
        )


def _images_fit(recipe: Recipe, moment: Moment, needs: tuple[str, ...]) -> None:
    size = recipe.resize or recipe.size
    shown = torch.randint(0, 256, (_FEW, 3, *size), dtype=torch.uint8, generator=draws())
    before = shown.clone()
    for transforms in (recipe.augmentation, tuple(each.off() for each in recipe.augmentation)):
        with nothing_drawn("the augmentation"):
            one, other = (augmented(shown, transforms, draws(1), moment) for _ in range(2))
            if needs:
                maps = part_maps(_FEW, size)
                moved, maps = augmented_together(shown, maps, transforms, draws(1), moment)
                require(torch.equal(moved, one), "images are augmented otherwise beside maps.")
                require(maps.shape == moved.shape, "maps have another size than their images.")
        require(
            one.dtype == torch.float32 and one.shape == (_FEW, 3, *recipe.size),
            f"the augmentation gives {tuple(one.shape)} {one.dtype}: give float32 images of "
            f"{recipe.size}.",
        )
        require(
            torch.equal(one, other) and torch.equal(shown, before),
            "the augmentation changes the images that it is given, or gives others for the same "
            "generator.",
        )


def groups(subject: Subject) -> None:
    """Ask for the recipe's groups of the network's own parameters, whatever the moment."""
    network = subject.built()
    Optimisers(network, fused=False)

    def listed() -> list[int]:
        return [id(each) for group in network.groups().values() for each in group]

    found = listed()
    require(len(found) == len(set(found)), "groups() lists a parameter twice: list each once.")
    own = {id(each) for each in network.parameters()}
    require(set(found) <= own, "groups() lists a parameter that is not the network's.")
    for moment in moments(network):
        network.begin(moment)
        require(listed() == found, "groups() depends on begin(): list the same at any moment.")
    # Recipes are checked, and checkpoints named, without memory for weights.
    with torch.device("meta"):
        alone = build(subject.method, subject.recipe, PEOPLE, subject.scale)
    require(
        {name: len(each) for name, each in alone.groups().items()}
        == {name: len(each) for name, each in network.groups().items()},
        "groups() lists others on the device 'meta'.",
    )


def released(subject: Subject) -> None:
    """Ask that entries and released names belong to each other one to one."""
    network = subject.built()
    names = network.released({})
    if names is None:
        return
    entries = network.state_dict()
    told = {own: each for own in entries if (each := names.released(own))}
    known = list(told.values())
    twice = sorted({each for each in known if known.count(each) > 1})
    require(not twice, f"released() names {twice[:1]} twice: each entry has a name of its own.")
    classifiers = [own for own, each in told.items() if each == names.classifier]
    require(bool(classifiers), f"released() names no entry {names.classifier}.")
    require(
        len(entries[classifiers[0]]) == PEOPLE,
        f"{names.classifier}, which released() calls the classifier, has not a row for each of "
        "the training people.",
    )
    run = [each for each in known if any(_below(each, prefix) for prefix in names.unused)]
    require(not run, f"released() says that nothing runs {run[:1]}, and names an entry so.")


def start(subject: Subject) -> None:
    """Ask that a backbone's weights arrive in the network, and nothing but them."""
    network = subject.built()
    backbone = build_backbone(subject.scale.backbone(subject.method.backbone_name), subject.scale)
    given = {
        name: torch.full_like(value, 0.001 * place)
        for place, (name, value) in enumerate(backbone.state_dict().items(), 2)
    }
    before = kept(network)
    with nothing_drawn("start()"):
        network.start(given)
    after = kept(network)
    require(not same(before, after), "start() takes over no weight of the backbone.")
    values = [(value.shape, value.flatten()[:1].tolist()) for value in given.values()]
    for name, value in after.items():
        if not torch.equal(value, before[name]):
            require(
                (value.shape, value.flatten()[:1].tolist()) in values
                and bool((value == value.flatten()[0]).all()),
                f"start() changes {name} to what no weight of the backbone is.",
            )


def _is_line(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip()) and text.isprintable()


def _is_frozen(value: object) -> bool:
    # The class holds how it was made; the attribute is Python's own, and typed nowhere.
    made = vars(type(value)).get("__dataclass_params__")
    return is_dataclass(value) and bool(made and made.frozen)


def _below(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")
