"""The file `params.yaml` as a whole: read, checked across, and its errors worded."""

import re
import reprlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import Field, PositiveFloat, ValidationError, model_validator

from topdb.config.base import (
    ELSEWHERE,
    METHOD_FOLDERS,
    MethodName,
    MetricName,
    Name,
    PlainPath,
    Settings,
    expanded,
    nearest,
    pick,
    require_known,
)
from topdb.config.methods import declared, method_files, shadowed
from topdb.config.profile import ExamplesSettings, Profile
from topdb.errors import UserError
from topdb.limits import DRAWS, YAML_VALUES, read_text

MOVED = {"delta": "margins", "families": "families"}
"""Keys of the statistics that a paper's file has by now, and what they are called there."""


class AssumedSpread(Settings):
    """Spreads that a design is made of where no runs are there, in percentage points of mAP.

    Seeds scatter by 0.3 to 1.0 on the published data sets; people's preference for a method and
    what a training does to a person by about 5 and 6.
    """

    seed: Annotated[float, Field(ge=0.0)] = 0.5
    """Between the runs of a method."""
    people: Annotated[float, Field(ge=0.0)] = 5.0
    """Of a person's true difference between two methods."""
    interaction: Annotated[float, Field(ge=0.0)] = 6.0
    """Of what one training does to one person."""
    persons: Annotated[int, Field(ge=2)] = 700
    """People among the queries."""


class StatisticsSettings(Settings):
    """How cells are compared with each other and with the paper."""

    reference_method: MethodName = "baseline"
    """Every other method is compared with this one."""
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    """Of the interval of a difference between two methods."""
    draws: Annotated[int, Field(ge=1000, le=DRAWS)] = 10_000
    """Bootstrap draws of an interval, and sign flips over people."""
    seed: int = 0
    rounding: Annotated[float, Field(ge=0.0)] = 0.05
    """Half a unit of the published numbers' last digit, in percentage points."""
    alpha: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.05
    """Level of the tests of cells (each) and of claims (within each family, for and against), over
    all looks at a grid that grows."""
    smallest_advantage: Annotated[float, Field(ge=0.0)] = 0.0
    """The smallest advantage that counts, in percentage points: a claim fails where less is shown.
    0, since the papers claim to be better, and do not say by how much."""
    power: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.8
    """With which the seeds that are said to settle a cell would do."""
    assumed: AssumedSpread = AssumedSpread()
    """What `topdb plan --power` takes for the spreads of runs that are not there."""

    @model_validator(mode="before")
    @classmethod
    def _check_moved(cls, content: object) -> object:
        for old, new in MOVED.items():
            if isinstance(content, dict) and old in content:
                raise ValueError(
                    f"{old} is a paper's own by now: move it to {new} in papers/<paper>/paper.yaml"
                )
        return content


_DEEPEST = 50
"""Levels of nesting in a parameter file; those we know need eight."""

_LONGEST = 600
"""Characters of a complaint."""
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxstring, _SHORT.maxother = 2, 4, 60, 60

_Model = TypeVar("_Model", bound=Settings)


class CheckSettings(Settings):
    """CI's guard: how far means may lie from the committed reference."""

    reference: PlainPath
    profile: Name | None = None
    """The profile whose numbers the reference guards; default: whichever is checked."""
    family_error: Annotated[float, Field(gt=0.0, lt=1.0)]
    """Chance of a false alarm over all tests together, when nothing has changed."""
    floor: PositiveFloat
    """Smallest tolerance of a cell, in percentage points."""
    pooled_floor: PositiveFloat = 0.25
    """The same of the mean over a method's cells, and over all: they scatter less."""


class TrackingSettings(Settings):
    """When a run is told to MLflow."""

    mode: Literal["live", "after", "off"]
    """While it trains, once all runs are evaluated, or never."""
    experiment: Name
    upload_weights: bool = False
    """Whether finished weights are uploaded; their digest and path are told anyway."""


class Params(Settings):
    """All of `params.yaml`."""

    method_folders: tuple[PlainPath, ...] = ()
    """Folders of methods of one's own, beside the package's: one file a method."""
    profile: Name
    """The profile that commands use when none is named."""
    profiles: dict[Name, Profile] = Field(min_length=1)
    papers: tuple[Name, ...] = ()
    """Folders below `papers/`, one a paper; the first is the main one (topdb/config/paper.py)."""
    metrics: tuple[MetricName, ...] = Field(("mAP", "R1"), min_length=1)
    """What tables, verdicts and figures are about, in their order."""
    statistics: StatisticsSettings = StatisticsSettings()
    examples: ExamplesSettings = ExamplesSettings()
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
        for folder in self.method_folders:
            if not folder.is_dir():
                raise ValueError(
                    f"method_folders names {folder}, which is no folder; name one that holds a "
                    "file for each method"
                )
        twice = shadowed(self.method_folders)
        if twice:
            raise ValueError(
                f"method_folders: there is another method called like {twice[0]}; rename the file"
            )
        for key, values in (("papers", self.papers), ("metrics", self.metrics)):
            if len(set(values)) < len(values):
                raise ValueError(f"{key} lists {', '.join(values)}; name each once")
        self._check_names()
        guarded = self.check.profile
        if guarded is not None and guarded not in self.profiles:
            known = sorted(self.profiles)
            raise ValueError(
                f"check.profile is '{guarded}', which is not one of {', '.join(known)}"
                f"{nearest(guarded, known)}"
            )
        return self

    def _check_names(self) -> None:
        """Look up names that may be another profile's in all of them."""
        datasets = self.datasets()
        for name, profile in self.profiles.items():
            for dataset in profile.weights:
                require_known(f"profiles.{name}.weights", "data set", dataset, datasets)
        for key, method, stated in (
            ("statistics.reference_method", self.statistics.reference_method, self.statistics),
            ("examples.method", self.examples.method, self.examples),
        ):
            if method is not None and key.partition(".")[2] in stated.model_fields_set:
                require_known(key, "method", method, self.methods())

    def datasets(self) -> list[str]:
        """Return the data sets of all profiles."""
        return list(dict.fromkeys(each for own in self.profiles.values() for each in own.datasets))

    def methods(self) -> list[str]:
        """Return the methods that any profile runs."""
        return list(dict.fromkeys(each for own in self.profiles.values() for each in own.methods))

    def selected(self, name: str | None = None) -> Profile:
        """Return the named profile, or the one that the file selects.

        Raises
        ------
        UserError
            There is no profile of that name.
        """
        return pick("profile", name or self.profile, self.profiles)

    def trained_on_parts(self, name: str | None = None) -> list[str]:
        """Return the methods of a profile that train on part maps; none where none is trained."""
        profile, files = self.selected(name), method_files(self.method_folders)
        methods = () if profile.weights else profile.methods
        return [each for each in methods if "parts" in declared(files[each]).needs]

    def statistics_of(self, name: str | None = None) -> StatisticsSettings:
        """Return how a profile's cells are compared: with its own reference, if it names one.

        Raises
        ------
        UserError
            There is no profile of that name.
        """
        own = self.selected(name).reference_method
        return self.statistics.model_copy(update={"reference_method": own} if own else {})


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
        raise UserError(_describe(origin, error, model)) from None


def load(path: Path) -> Params:
    """Read and validate a parameter file.

    Raises
    ------
    UserError
        The file is missing, is no YAML, names a key twice, or holds an unknown key or a value out
        of range; the message names the key.
    """
    content = read_yaml(path, "run from the project's folder, or name the file with --params")
    return validated(Params, path, content, _folders(content))


def load_bundled(path: Path, method_folders: Sequence[Path]) -> Params:
    """Read the parameter file of a bundle, as far as a verdict needs it.

    `method_folders` stand in for those that the file names. Older files describe networks and
    training, which are methods' recipes by now, and margins and families, which are a paper's:
    those keys are passed over.

    Raises
    ------
    UserError
        As `load` does.
    """
    content = read_yaml(path, "ask for a complete bundle")
    if not isinstance(content, dict):
        return validated(Params, path, content)
    profiles = content.get("profiles")
    if isinstance(profiles, dict):
        profiles = {name: _without_networks(profile) for name, profile in profiles.items()}
    folders = [str(folder) for folder in method_folders]
    content = {**content, "profiles": profiles, METHOD_FOLDERS: folders}
    statistics = content.get("statistics")
    if isinstance(statistics, dict):
        kept = {key: value for key, value in statistics.items() if key not in MOVED}
        content["statistics"] = kept
    return validated(Params, path, content, method_folders, elsewhere=True)


def _without_networks(profile: object) -> object:
    if not isinstance(profile, dict):
        return profile
    return {key: value for key, value in profile.items() if key not in ("network", "training")}


_HALF = re.compile(r"\\(u|U0000)[dD][89a-fA-F][0-9a-fA-F]{2}")
"""An escape of half a character, which no file, page or tracker can hold."""


def read_yaml(path: Path, remedy: str) -> object:
    """Read a file in YAML's safe subset, in which a key given twice is an error.

    Raises
    ------
    UserError
        The file is missing, to which `remedy` says what to do, or is no such YAML.
    """
    try:
        text = read_text(path)
        if half := _HALF.search(text):
            raise ValueError(f"{half[0]}, half of a character")
        _require_bounded(text)
        content: object = yaml.load(text, Loader=_UniqueKeys)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: {remedy}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}): name a readable YAML file.") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {_one_line(error)}. Correct it.") from None
    # What PyYAML's constructors raise on values that are not what they look like, as 2001-99-99.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = _printable(str(error) or type(error).__name__)
        raise UserError(f"{path} holds a value that is none ({reason}): correct it.") from None
    return content


def validated(
    model: type[_Model],
    origin: Path | str,
    content: object,
    method_folders: Sequence[Path] = (),
    elsewhere: bool = False,
) -> _Model:
    """Return a parameter object made of a file's content; `elsewhere` is where its folders are.

    Raises
    ------
    UserError
        A key is unknown or missing, or a value is out of range; the message names the key.
    """
    try:
        context = {METHOD_FOLDERS: tuple(method_folders), ELSEWHERE: elsewhere}
        return model.model_validate(content, context=context)
    except ValidationError as error:
        raise UserError(_describe(origin, error, model)) from None


def _folders(content: object) -> tuple[Path, ...]:
    """Return the folders of methods that the file names, before it is checked."""
    named = content.get(METHOD_FOLDERS) if isinstance(content, dict) else None
    listed = named if isinstance(named, list) else []
    found = []
    for each in listed:
        if isinstance(each, str):
            with suppress(ValueError):  # which the check of this key tells of
                found.append(expanded(Path(each)))
    return tuple(found)


def _require_bounded(text: str) -> None:
    """Refuse nesting that would exhaust the stack, where libyaml ends the process, and anchors.

    An anchor that stands for many values is followed wherever its name is: ten lines may be a
    billion values.
    """
    sizes: dict[str | None, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        total += sizes.get(event.anchor, 0) if isinstance(event, yaml.AliasEvent) else 1
        if total > YAML_VALUES:
            raise yaml.YAMLError(f"it holds more than {YAML_VALUES:,} values, anchors followed")
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            sizes[anchor] = total - before + 1
        if len(open_nodes) > _DEEPEST:
            raise yaml.YAMLError(f"it nests more than {_DEEPEST} levels deep")


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
        return _printable(f"{error.problem} in line {error.problem_mark.line + 1}")
    return _printable(" ".join(str(error).split()))


def _printable(text: str) -> str:
    """Return a text without control characters and of bounded length."""
    text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _shown(value: object) -> str:
    """Return a value as it may stand in a sentence, however much it holds."""
    try:
        return _SHORT.repr(value)
    except (ValueError, RecursionError):  # as numbers of thousands of digits do
        return f"a {type(value).__name__}"


def _describe(path: Path | str, error: ValidationError, model: type[Settings]) -> str:
    """Turn one of pydantic's complaints into a sentence, an unknown key first; count the others."""
    complaints = error.errors(include_url=False)
    # A misspelt key is the reason why another one is missing.
    first = min(complaints, key=lambda each: each["type"] != "extra_forbidden")
    where = [part for part in first["loc"] if not _is_union_tag(part)]
    if not where and first["type"] == "model_type":
        return f"{path} holds no keys: write those that topdb/config describes."
    key = ".".join(str(part) for part in where)
    if first["type"] == "extra_forbidden":
        known = _known_keys(model, where[:-1])
        sentence = f"{path}: unknown key '{key}'{nearest(str(where[-1]), known)}."
    elif first["type"] == "missing":
        sentence = f"{path}: the key '{key}' is missing; add it."
    elif first["type"] == "value_error":
        reason = str(first["ctx"]["error"])
        sentence = f"{path}: {f'{key}: ' if key else ''}{reason}."
    else:
        value = first["input"] if not isinstance(first["input"], dict) else "a mapping"
        near = ""
        if first["type"] == "literal_error":
            near = nearest(str(value), re.findall("'([^']*)'", first["ctx"]["expected"]))
        sentence = f"{path}: '{key}' is {_shown(value)}: {first['msg'].lower()}{near}."
    more = len(complaints) - 1
    return _printable(sentence) + (f" ({more} more like it.)" if more else "")


def _is_union_tag(part: int | str) -> bool:
    return part in ("cosine", "milestones", "stairs", "pretraining", "imagenet")


def _known_keys(root: type[Settings], where: list[int | str]) -> list[str]:
    """Return the keys that the parameter object at a position of the file understands."""
    models: list[type[Settings]] = [root]
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
