"""The typed, validated view of `params.yaml`: every parameter, and every check across them.

All objects are frozen; an unknown key is an error that names the key and the nearest known one.
"""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from topdb.errors import UserError

Recipe = Literal["released", "described"]
"""How faithful to what: the authors' released code, or the paper's text (docs/recipes.md)."""

Ranking = Literal["plain", "rk"]
"""Nearest features first, or the same after k-reciprocal re-ranking."""

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Decay = Annotated[float, Field(ge=0.0, lt=1.0)]

_PACKAGE = Path(__file__).parent
_Thing = TypeVar("_Thing")


def dropped_in(room: str) -> list[str]:
    """Return the names of the files dropped into a room of the package, sorted.

    `room` is a folder relative to the package, such as `methods` or `datasets/layouts`. The name
    of `top_db_net.py` is `top-db-net`. Reading the folder, not importing it, keeps this cheap.
    """
    files = (_PACKAGE / room).glob("*.py")
    return sorted(file.stem.replace("_", "-") for file in files if not file.stem.startswith("_"))


def _exists_in(room: str) -> AfterValidator:
    def check(name: str) -> str:
        known = dropped_in(room)
        if name not in known:
            raise ValueError(f"'{name}' is not one of {', '.join(known)}{_nearest(name, known)}")
        return name

    return AfterValidator(check)


def _plain_name(name: str) -> str:
    if not name or not all(letter.isalnum() or letter in "-_." for letter in name):
        raise ValueError(f"'{name}' may hold only letters, digits, '-', '_' and '.'")
    if name.startswith((".", "-")):
        raise ValueError(f"'{name}' may not start with '{name[0]}'")
    return name


Name = Annotated[str, AfterValidator(_plain_name)]
MethodName = Annotated[str, _exists_in("methods")]
LayoutName = Annotated[str, _exists_in("datasets/layouts")]
BackboneName = Annotated[str, _exists_in("methods/backbones")]


class Settings(BaseModel):
    """Base of all parameter objects: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RenderSettings(Settings):
    """How a data set of drawn pedestrians is rendered (mini profile only).

    The data set's layout decides the rest: file names, and whether boxes are drawn by hand
    (dukemtmc-reid, cuhk03-labeled) or placed badly as a detector does (market1501,
    cuhk03-detected).
    """

    seed: Annotated[int, Field(ge=0)]
    """Seed of people, cameras and scenes; two sets with one seed show the same scenes."""
    train_people: PositiveInt
    test_people: PositiveInt
    cameras: Annotated[int, Field(ge=2)]
    train_images: PositiveInt
    """Training images in all, spread over people and cameras."""
    query_images: PositiveInt
    """At most one a person and camera, and at least one a person."""
    gallery_images: PositiveInt
    """Gallery images of the test people, without distractors and junk."""
    distractors: Annotated[int, Field(ge=0)] = 0
    """Gallery images of nobody (person id 0)."""
    junk: Annotated[int, Field(ge=0)] = 0
    """Badly cut gallery images (person id -1), which no index counts."""
    near_duplicates: Fraction = 0.5
    """Share of people who differ from somebody else in one small detail only."""
    height: Annotated[int, Field(ge=16)] = 128
    width: Annotated[int, Field(ge=8)] = 64

    @model_validator(mode="after")
    def _check(self) -> "RenderSettings":
        if self.train_images < 2 * self.train_people:
            raise ValueError(
                f"train_images is {self.train_images}, and {self.train_people} people under two "
                f"cameras each need {2 * self.train_people} or more"
            )
        if not self.test_people <= self.query_images <= self.test_people * self.cameras:
            raise ValueError(
                f"query_images is {self.query_images}; name {self.test_people} (one a person) to "
                f"{self.test_people * self.cameras} (one a person and camera)"
            )
        if self.gallery_images < 2 * self.test_people:
            raise ValueError(
                f"gallery_images is {self.gallery_images}, and {self.test_people} people under "
                f"two cameras each need {2 * self.test_people} or more"
            )
        return self


_Model = TypeVar("_Model", bound=Settings)


class DatasetSettings(Settings):
    """One data set: where its images lie and which published layout they follow."""

    layout: LayoutName
    title: str | None = None
    """How tables call it; default: its name."""
    root: Path
    """Folder of the images, relative to the project or absolute."""
    render: RenderSettings | None = None
    """How to draw it; absent for a real data set, which is never written to."""


class NetworkSettings(Settings):
    """Sizes of the network; the streams themselves belong to the method and the recipe."""

    backbone: BackboneName
    height: PositiveInt
    """Input height in pixels."""
    width: PositiveInt
    bottleneck_width: PositiveInt
    """Channels inside each bottleneck of the drop and regularization streams (paper: 512)."""
    global_features: PositiveInt
    """Length of the global stream's feature (paper: 512)."""
    drop_features: PositiveInt
    """Length of the drop stream's feature (paper: 1024)."""
    drop_ratio: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.33
    """Share of the feature map's rows that are dropped, rounded to whole rows."""
    activation_power: PositiveFloat = 2.0
    """p of A = sum over channels of |F|^p, by which rows are scored."""


class PretrainingSettings(Settings):
    """The backbone's start: trained once on people that no data set of the profile shows."""

    kind: Literal["pretraining"]
    dataset: DatasetSettings
    epochs: PositiveInt
    seed: int


class ImagenetSettings(Settings):
    """The backbone's start: torchvision's ResNet-50 weights IMAGENET1K_V1."""

    kind: Literal["imagenet"]
    weights: Path
    """The file `resnet50-19c8e357.pth`; its name's digest is checked against its content."""


class StepSchedule(Settings):
    """Learning rate of the paper: warm-up in stairs, then a tenth at each milestone."""

    kind: Literal["steps"]
    base: PositiveFloat
    """Learning rate between the warm-up and the first milestone."""
    warmup_epochs: PositiveInt
    """The rate reaches `base` in the last of these epochs."""
    stair_epochs: PositiveInt
    """The warm-up rises once every so many epochs."""
    milestones: tuple[PositiveInt, ...]
    """Epochs (counted from 1) from which on the rate is a tenth of what it was."""


class CosineSchedule(Settings):
    """Learning rate that rises in a straight line, then falls along half a cosine to zero."""

    kind: Literal["cosine"]
    base: PositiveFloat
    warmup_epochs: PositiveFloat


Start = Annotated[PretrainingSettings | ImagenetSettings, Field(discriminator="kind")]
Schedule = Annotated[StepSchedule | CosineSchedule, Field(discriminator="kind")]


class AugmentationSettings(Settings):
    """Random changes to a training image, in the order in which they are applied."""

    flip: Fraction = 0.5
    crop: Fraction = 0.5
    """Probability to enlarge by an eighth and cut a window of the input size at random."""
    erase: Fraction = 0.5
    """Probability to overwrite a rectangle (Zhong et al., Random Erasing, AAAI 2020)."""
    erase_area: tuple[PositiveFloat, PositiveFloat] = (0.02, 0.4)
    erase_aspect: tuple[PositiveFloat, PositiveFloat] = (0.3, 3.33)
    erase_fill: tuple[float, float, float] = (0.4914, 0.4822, 0.4465)
    """Value of the rectangle, written after normalisation as the authors' code does."""


class TrainingSettings(Settings):
    """The training loop's parameters."""

    epochs: PositiveInt
    people_per_batch: Annotated[int, Field(ge=2)]
    """P of the P x K batch."""
    images_per_person: Annotated[int, Field(ge=2)]
    """K of the P x K batch."""
    schedule: Schedule
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    weight_decay: Annotated[float, Field(ge=0.0)] = 5e-4
    """L2 penalty added to the gradient of every parameter (coupled, as in Adam)."""
    margin: PositiveFloat = 0.3
    """Margin of the batch-hard triplet loss."""
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    augmentation: AugmentationSettings = AugmentationSettings()
    device: Literal["cpu", "cuda"] = "cpu"
    threads: PositiveInt = 1
    """Threads of one training process; another count gives other bits."""
    channels_last: bool = True
    extraction_batch: PositiveInt = 256
    """Images in a batch of feature extraction; results do not depend on it beyond rounding."""

    @model_validator(mode="after")
    def _check(self) -> "TrainingSettings":
        schedule = self.schedule
        if isinstance(schedule, CosineSchedule) and schedule.warmup_epochs >= self.epochs:
            raise ValueError(
                f"schedule.warmup_epochs is {schedule.warmup_epochs:g}, which leaves nothing of "
                f"{self.epochs} epochs"
            )
        if isinstance(schedule, StepSchedule):
            moments = [schedule.warmup_epochs, *schedule.milestones]
            if moments != sorted(set(moments)):
                raise ValueError("schedule.milestones have to rise, and to come after the warm-up")
        return self


class RankingSettings(Settings):
    """How features are ranked and scored."""

    ap_rule: Literal["step", "trapezoid"] = "step"
    variant: Literal["torchreid", "zhong2017"] = "torchreid"
    """Which distances k-reciprocal re-ranking starts from."""
    k1: PositiveInt = 20
    k2: PositiveInt = 6
    original_weight: Fraction = 0.3
    """lambda of Zhong et al.: weight of the original distance in the re-ranked one."""


class Profile(Settings):
    """Everything that one grid of runs depends on."""

    recipe: Recipe
    methods: tuple[MethodName, ...] = Field(min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    rankings: tuple[Ranking, ...] = ("plain", "rk")
    datasets: dict[Name, DatasetSettings] = Field(min_length=1)
    network: NetworkSettings
    start: Start | None
    """What the backbone starts from; null for random weights."""
    training: TrainingSettings
    ranking: RankingSettings = RankingSettings()

    @model_validator(mode="after")
    def _check(self) -> "Profile":
        for key, values in (("seeds", self.seeds), ("methods", self.methods)):
            twice = sorted({str(value) for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{key} lists {', '.join(twice)} twice; name each once")
        roots = [dataset.root for dataset in self.all_datasets().values()]
        drawn = [dataset.root for dataset in self.all_datasets().values() if dataset.render]
        shared = sorted({str(root) for root in drawn if roots.count(root) > 1})
        if shared:
            raise ValueError(f"two data sets draw into the folder {shared[0]}; give each its own")
        for name, dataset in self.datasets.items():
            if dataset.render and dataset.render.train_people < self.training.people_per_batch:
                raise ValueError(
                    f"datasets.{name}.render.train_people is {dataset.render.train_people}, fewer "
                    f"than the {self.training.people_per_batch} people of a batch"
                )
        if isinstance(self.start, PretrainingSettings):
            schedule = self.training.schedule
            if isinstance(schedule, CosineSchedule) and schedule.warmup_epochs >= self.start.epochs:
                raise ValueError(
                    f"training.schedule.warmup_epochs is {schedule.warmup_epochs:g}, which leaves "
                    f"nothing of the {self.start.epochs} of start.epochs"
                )
            if PRETRAINING in self.datasets:
                raise ValueError(f"a data set may not be called '{PRETRAINING}': it is taken")
        return self

    @property
    def rendered(self) -> bool:
        """Whether any data set is drawn, so that its numbers mean nothing beside the paper's."""
        return any(dataset.render for dataset in self.datasets.values())

    def all_datasets(self) -> dict[str, DatasetSettings]:
        """Return the data sets by name, that of the pretraining among them."""
        if isinstance(self.start, PretrainingSettings):
            return {**self.datasets, PRETRAINING: self.start.dataset}
        return dict(self.datasets)

    def dataset(self, name: str) -> DatasetSettings:
        """Return one data set of the profile.

        Raises
        ------
        UserError
            The profile has no data set of that name.
        """
        return _pick("data set", name, self.all_datasets())

    def require_method(self, name: str) -> None:
        """Raise a UserError where the profile has no method of that name."""
        _pick("method", name, dict.fromkeys(self.methods))

    def require_backbone(self, backbone: Path | None) -> None:
        """Raise a UserError where runs start from a pretrained backbone and none is given."""
        if isinstance(self.start, PretrainingSettings) and backbone is None:
            raise UserError(
                "this profile starts from a pretrained backbone: name it with --backbone, as "
                "`topdb pretrain` wrote it."
            )


PRETRAINING = "pretraining"
"""Name under which the index and the weights of the pretraining's data set are stored."""


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
                f"{_nearest(self.profile, known)}"
            )
        return self

    def selected(self, name: str | None = None) -> Profile:
        """Return the named profile, or the one that the file selects.

        Raises
        ------
        UserError
            There is no profile of that name.
        """
        return _pick("profile", name or self.profile, self.profiles)


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
    """YAML's safe subset, in which a key given twice is an error and not a silent override."""

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
        return f"{path} holds no keys: write those that topdb/params.py describes."
    key = ".".join(str(part) for part in where)
    if first["type"] == "extra_forbidden":
        known = _known_keys(where[:-1])
        sentence = f"{path}: unknown key '{key}'{_nearest(str(where[-1]), known)}."
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


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""


def _pick(kind: str, name: str, things: dict[str, _Thing]) -> _Thing:
    if name not in things:
        known = sorted(things)
        raise UserError(
            f"there is no {kind} '{name}' in params.yaml{_nearest(name, known)}: "
            f"name one of {', '.join(known)}."
        )
    return things[name]
