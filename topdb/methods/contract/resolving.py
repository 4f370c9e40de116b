"""Methods found by name, and recipes as they will be trained."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from topdb.config.base import nearest
from topdb.config.scale import FULL, RecipeChanges, RuleChange, ScaleSettings
from topdb.errors import UserError
from topdb.methods.contract.method import Method
from topdb.methods.contract.recipe import SGD, Adam, Cosine, Milestones, Recipe, Stairs


def find(name: str, folders: Sequence[Path] = ()) -> type[Method]:
    """Return the class of a method.

    Parameters
    ----------
    name : `my-method` for the file `my_method.py`
    folders : where methods lie beside the package's own, which come first

    Raises
    ------
    UserError
        There is no such file, it cannot be imported, or it does not hold one method.
    """
    module = _module(name, folders)
    found = [
        each
        for each in vars(module).values()
        if inspect.isclass(each) and issubclass(each, Method) and each.__module__ == module.__name__
    ]
    file = module.__file__
    if len(found) != 1:
        raise UserError(
            f"{file} defines {len(found)} methods: define one class that inherits Method "
            "(docs/methods.md)."
        )
    (method,) = found
    for attribute in ("title", "recipes"):
        if not hasattr(method, attribute):
            raise UserError(
                f"{file}: {method.__name__} has no {attribute}: give it one (docs/methods.md)."
            )
    if inspect.isabstract(method):
        missing = sorted(method.__abstractmethods__)
        raise UserError(
            f"{file}: {method.__name__} lacks {', '.join(missing)}: define it (docs/methods.md)."
        )
    return method


def _module(name: str, folders: Sequence[Path]) -> ModuleType:
    stem = name.replace("-", "_")
    package = Path(__file__).parents[1]
    if (package / f"{stem}.py").is_file():
        return importlib.import_module(f"topdb.methods.{stem}")
    for folder in folders:
        path = (folder / f"{stem}.py").resolve()
        if not path.is_file():
            continue
        full = f"topdb_own_methods.{stem}"
        specification = importlib.util.spec_from_file_location(full, path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules[full] = module
        try:
            specification.loader.exec_module(module)
        except Exception as error:  # whatever a user's file does
            sys.modules.pop(full, None)
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"{path} cannot be imported ({type(error).__name__}: {reason}): mend it."
            ) from None
        return module
    places = ", ".join(map(str, folders))
    raise UserError(
        f"there is no method '{name}': no file {stem}.py in topdb/methods"
        f"{f' or {places}' if places else ''}."
    )


_SIDES = ("released", "described")
_SCHEDULES: dict[str, type[Cosine | Milestones | Stairs]] = {
    "cosine": Cosine,
    "milestones": Milestones,
    "stairs": Stairs,
}


def side_of(method: type[Method], name: str, wanted: str) -> str:
    """Return the side of a method's recipe that a profile gets.

    A method that lacks one of the two sides has the other instead.

    Raises
    ------
    UserError
        A variant is wanted that the method has not; the message names those that it has.
    """
    if wanted in method.recipes:
        return wanted
    if wanted in _SIDES:
        for side in _SIDES:
            if side in method.recipes:
                return side
    known = list(method.recipes)
    raise UserError(
        f"method {name} has no recipe '{wanted}'{nearest(wanted, known)}: name one of "
        f"{', '.join(known)}."
    )


def resolved(
    method: type[Method],
    name: str,
    side: str,
    scale: ScaleSettings = FULL,
    changes: Sequence[RecipeChanges] = (),
) -> Recipe:
    """Return the recipe by which a method is trained.

    Parameters
    ----------
    method, name : the class and what it is called
    side : `released`, `described` or a variant
    scale : what the profile shrinks
    changes : what it changes on purpose, over the scale, and later ones over earlier ones

    Raises
    ------
    UserError
        The method lacks the variant, or has no such group or option, or a value of an option or
        the length of the warm-up cannot be.
    """
    recipe = _scaled(method.recipes[side_of(method, name, side)], scale)
    for each in changes:  # last, since they are made on purpose
        recipe = _changed(recipe, name, each)
    schedule = recipe.schedule
    if isinstance(schedule, Cosine) and schedule.warmup >= recipe.epochs:
        raise UserError(
            f"method {name}: a warm-up of {schedule.warmup:g} epochs leaves nothing of "
            f"{recipe.epochs}: change schedule.warmup or epochs under changes.{name}."
        )
    return recipe


def plain(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain data for JSON; callables go by the name of their class."""
    found: dict[str, Any] = {}
    for field in fields(recipe):
        found[field.name] = _plain(getattr(recipe, field.name))
    return found


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        content = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {"kind": type(value).__name__, **content}
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value


def _changed(recipe: Recipe, name: str, changes: RecipeChanges) -> Recipe:
    simple = {
        key: getattr(changes, key)
        for key in ("epochs", "people", "images", "size", "clip")
        if getattr(changes, key) is not None
    }
    if changes.size is not None and recipe.resize is not None:
        shares = [new / old for new, old in zip(changes.size, recipe.size, strict=True)]
        height, width = (
            round(side * share) for side, share in zip(recipe.resize, shares, strict=True)
        )
        simple["resize"] = (height, width)
    if changes.schedule is not None:
        content = changes.schedule.model_dump(exclude={"kind"})
        simple["schedule"] = _SCHEDULES[changes.schedule.kind](**content)
    rules = dict(recipe.rules)
    for group, change in changes.rules.items():
        if group != "all" and group not in rules:
            raise UserError(
                f"changes.{name}.rules names the group '{group}'{nearest(group, list(rules))}, "
                f"which the method has not: name one of {', '.join(rules)}, or all."
            )
        for each in rules if group == "all" else [group]:
            rules[each] = _rule(rules[each], change)
    return replace(recipe, **simple, rules=rules, options=_options(recipe, name, changes.options))


def _rule(rule: Adam | SGD, change: RuleChange) -> Adam | SGD:
    return replace(rule, **change.model_dump(exclude_none=True))


def _options(recipe: Recipe, name: str, changes: dict[str, Any]) -> Any:
    """Return the options with some of them changed, each of its declared type."""
    if not changes:
        return recipe.options
    known = [field.name for field in fields(recipe.options)] if recipe.options else []
    for key in changes:
        if key not in known:
            raise UserError(
                f"changes.{name}.options names '{key}'{nearest(key, known)}, which the method has "
                f"not: name one of {', '.join(known) or 'none, since it has no options'}."
            )
    model = type(recipe.options)
    try:
        return TypeAdapter(model).validate_python(asdict(recipe.options) | changes)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if not first["loc"]:  # what the options themselves say of each other
            raise UserError(f"changes.{name}.options: {first['ctx']['error']}.") from None
        key = ".".join(map(str, first["loc"]))
        raise UserError(
            f"changes.{name}.options.{key} is {first['input']!r}: {first['msg'].lower()}."
        ) from None


def _scaled(recipe: Recipe, scale: ScaleSettings) -> Recipe:
    augmentation = recipe.augmentation
    size, resize = recipe.size, recipe.resize
    if scale.size is not None:
        share = scale.size[0] / size[0]
        augmentation = tuple(each.scaled(share) for each in augmentation)
        if resize is not None:
            resize = (
                round(resize[0] * scale.size[0] / size[0]),
                round(resize[1] * scale.size[1] / size[1]),
            )
        size = scale.size
    off = set(scale.without)
    rules = dict(recipe.rules)
    if scale.rate != 1.0:
        rules = {group: replace(rule, rate=rule.rate * scale.rate) for group, rule in rules.items()}
    return replace(
        recipe,
        size=size,
        resize=resize,
        augmentation=tuple(each.off() if each.name in off else each for each in augmentation),
        rules=rules,
        people=scale.people or recipe.people,
        passes=scale.epochs or recipe.passes,
    )
