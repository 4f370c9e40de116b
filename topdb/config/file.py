"""The file `params.yaml` as a whole: read, and checked across."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, TypeVar

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
from topdb.config.complaints import describe
from topdb.config.methods import declared, method_files, shadowed
from topdb.config.profile import ExamplesSettings, Profile
from topdb.config.yaml_file import read_yaml
from topdb.errors import UserError
from topdb.limits import DRAWS

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
        raise UserError(describe(origin, error, model)) from None


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
        raise UserError(describe(origin, error, model)) from None


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
