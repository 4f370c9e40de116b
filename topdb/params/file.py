"""All of `params.yaml`, and how it is read."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import Field, PositiveFloat, ValidationError, model_validator

from topdb.errors import UserError
from topdb.params.base import Settings
from topdb.params.names import MethodName, Name, nearest, pick
from topdb.params.profile import Profile

_Model = TypeVar("_Model", bound=Settings)


class StatisticsSettings(Settings):
    """How cells are compared."""

    reference_method: MethodName = "baseline"
    """Every other method is compared with this one."""
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    draws: Annotated[int, Field(ge=1000)] = 10_000
    """Bootstrap draws of an interval."""
    seed: int = 0


class CheckSettings(Settings):
    """CI's guard: how far a cell's mean mAP may lie from the committed reference."""

    reference: Path
    family_error: Annotated[float, Field(gt=0.0, lt=1.0)]
    """Chance of a false alarm over all cells together, when nothing has changed."""
    floor: PositiveFloat
    """Smallest tolerance, in points of mAP."""


class TrackingSettings(Settings):
    """When a run is told to MLflow."""

    mode: Literal["live", "after", "off"]
    """While it trains, once all runs are evaluated, or never."""
    experiment: Name


class Params(Settings):
    """All of `params.yaml`."""

    profile: Name
    """The profile that commands use when none is named."""
    profiles: dict[Name, Profile] = Field(min_length=1)
    statistics: StatisticsSettings = StatisticsSettings()
    check: CheckSettings
    tracking: TrackingSettings

    @model_validator(mode="after")
    def _check(self) -> "Params":
        if self.profile not in self.profiles:
            known = sorted(self.profiles)
            raise ValueError(
                f"profile is '{self.profile}', which is not one of {', '.join(known)}"
                f"{nearest(self.profile, known)}"
            )
        return self

    def selected(self, name: str | None = None) -> Profile:
        """Return the named profile, or the one that the file selects.

        Raises
        ------
        UserError
            There is no profile of that name.
        """
        return pick("profile", name or self.profile, self.profiles)


def checked(model: type[_Model], origin: str, **values: object) -> _Model:
    """Return a parameter object made of values that do not come from a file.

    Raises
    ------
    UserError
        A value is out of range; the message begins with `origin`.
    """
    try:
        return model(**values)
    except ValidationError as error:
        raise UserError(_describe(origin, error)) from None


def load(path: Path) -> Params:
    """Read and validate a parameter file.

    Raises
    ------
    UserError
        The file is missing, is no YAML, names a key twice, or holds an unknown key or a value out
        of range; the message names the key.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except FileNotFoundError:
        raise UserError(
            f"{path} does not exist: run from the project's folder, or name the file with --params."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}): name a readable YAML file.") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {_one_line(error)}. Correct it.") from None
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise UserError(_describe(path, error)) from None


class _UniqueKeys(yaml.CSafeLoader):
    """YAML's safe subset, in which a key given twice is an error and not a silent override.

    As in YAML 1.2, which DVC reads and writes, `off` and `no` are words and not false.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{key}' is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_UniqueKeys.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":bool")]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_UniqueKeys.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def _one_line(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{error.problem} in line {error.problem_mark.line + 1}"
    return " ".join(str(error).split())


def _describe(path: Path | str, error: ValidationError) -> str:
    """Turn the first of pydantic's complaints into one sentence; count the others."""
    complaints = error.errors(include_url=False)
    first = complaints[0]
    where = [part for part in first["loc"] if not _is_union_tag(part)]
    if not where and first["type"] == "model_type":
        return f"{path} holds no keys: write those that topdb/params describes."
    key = ".".join(str(part) for part in where)
    if first["type"] == "extra_forbidden":
        known = _known_keys(where[:-1])
        sentence = f"{path}: unknown key '{key}'{nearest(str(where[-1]), known)}."
    elif first["type"] == "missing":
        sentence = f"{path}: the key '{key}' is missing; add it."
    elif first["type"] == "value_error":
        reason = str(first["ctx"]["error"])
        sentence = f"{path}: {f'{key}: ' if key else ''}{reason}."
    else:
        value = first["input"] if not isinstance(first["input"], dict) else "a mapping"
        sentence = f"{path}: '{key}' is {value!r}: {first['msg'].lower()}."
    more = len(complaints) - 1
    return sentence + (f" ({more} more like it.)" if more else "")


def _is_union_tag(part: int | str) -> bool:
    return part in ("steps", "cosine", "pretraining", "imagenet")


def _known_keys(where: list[int | str]) -> list[str]:
    """Return the keys that the parameter object at a position of the file understands."""
    models: list[type[Settings]] = [Params]
    for part in where:
        models = [
            found
            for model in models
            for found in _models_in(
                model.model_fields[str(part)].annotation if part in model.model_fields else model
            )
        ]
    return sorted({key for model in models for key in model.model_fields})


def _models_in(annotation: Any) -> list[type[Settings]]:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
