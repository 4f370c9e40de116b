"""One profile: its grid, and what it keeps to look at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import (
    Field,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from topdb.config.base import (
    METHOD_FOLDERS,
    Fraction,
    MethodName,
    Name,
    PlainPath,
    Ranking,
    Recipe,
    Settings,
    nearest,
    pick,
    require_known,
)
from topdb.config.crossing import Crossing, crossings, require_others, spelled_out
from topdb.config.data import DatasetSettings, PretrainingSettings, Start
from topdb.config.hardware import HardwareSettings, ResourceSettings
from topdb.config.methods import augmentations, declared, method_files
from topdb.config.scale import FULL, RecipeChanges, ScaleSettings
from topdb.errors import UserError
from topdb.limits import DRAWS, SEEDS


class SnapshotSettings(Settings):
    """Which trainings are looked at while they go on, at which epochs, by which query images.

    Only the chosen runs depend on these settings: other choices train no other run again.
    """

    dataset: Name | None = None
    """Default: the profile's first data set."""
    methods: tuple[MethodName, ...] | None = None
    """Default: baseline and top-db-net, where the profile runs them; none: no snapshots."""
    seed: Annotated[int, Field(ge=0)] | None = None
    """Default: the profile's first seed."""
    queries: PositiveInt = 4
    """How many query images, of people spread evenly over the data set."""
    query_paths: tuple[str, ...] = ()
    """These query images instead, by their paths in the data set's index."""
    epochs: tuple[PositiveInt, ...] | None = None
    """Epochs, counted from 1, after which a snapshot is taken; default: first, middle, last."""

    @model_validator(mode="after")
    def _check(self) -> "SnapshotSettings":
        if self.epochs is not None and list(self.epochs) != sorted(set(self.epochs)):
            raise ValueError("epochs have to rise")
        if len(set(self.query_paths)) < len(self.query_paths):
            raise ValueError("query_paths names an image twice; name each once")
        return self


@dataclass(frozen=True)
class Watch:
    """The snapshots of one profile, with every default filled in."""

    dataset: str
    methods: tuple[str, ...]
    seed: int
    queries: int
    query_paths: tuple[str, ...]
    epochs: tuple[int, ...] | None
    """None: the first, the middle and the last of the training."""

    def of(self, passes: int) -> tuple[int, ...]:
        """Return the epochs, counted from 1, of a training of so many passes."""
        middle = (passes + 1) // 2
        return tuple(sorted({1, middle, passes})) if self.epochs is None else self.epochs

    def includes(self, dataset: str, method: str, seed: int) -> bool:
        """Return whether a run is one of those that are looked at."""
        return dataset == self.dataset and method in self.methods and seed == self.seed


class ExamplesSettings(Settings):
    """Queries whose ranked lists are kept as small images."""

    method: MethodName | None = None
    """Whose best, worst and most changed queries are shown; null for Top-DB-Net, or, where the
    profile does not run it, for its last method."""
    queries: PositiveInt = 2
    """Queries of each kind and data set, all of different people."""
    shown: Annotated[int, Field(ge=1, le=10)] = 10
    """Gallery images of each list."""
    height: Annotated[int, Field(ge=16, le=512)] = 112
    """Largest height of an image, in pixels; smaller ones keep their size."""
    quality: Annotated[int, Field(ge=1, le=100)] = 70
    """Of the images' WebP."""


PRETRAINING = "pretraining"
"""Name under which the index and the weights of the pretraining's data set are stored."""

EVERYWHERE = "all"
"""Stands for every data set in a profile's changes."""
_SHOWN = ("baseline", "top-db-net")


class RankingSettings(Settings):
    """How features are ranked and scored."""

    metric: Literal["euclidean", "cosine"] = "euclidean"
    """The distance; cosine is the Euclidean one of features of unit length."""
    ap_rule: Literal["step", "trapezoid"] = "step"
    variant: Literal["torchreid", "zhong2017"] = "torchreid"
    """Which distances k-reciprocal re-ranking starts from."""
    k1: PositiveInt = 20
    k2: PositiveInt = 6
    original_weight: Fraction = 0.3
    """lambda of Zhong et al.: weight of the original distance in the re-ranked one."""
    single_gallery_shot: Annotated[int, Field(ge=0, le=DRAWS)] = 0
    """Draws of CUHK03's classic CMC, one gallery image a person; 0: the whole gallery."""


class DoubtSettings(Settings):
    """How doubtful an evaluation may be before it is an error. No number depends on it."""

    least_matched: Fraction = 0.5
    """Share of queries that must have a match in the gallery."""
    allow_same_paths: bool = False
    """Whether a query's path may be a gallery image's, too."""


class DivergenceSettings(Settings):
    """When a training has gone wrong by its own losses, and what is done. No bit depends on it."""

    factor: Annotated[float, Field(gt=1.0)] = 10.0
    """How often the untrained network's losses a loss may be at the end of an epoch. Ten times a
    guess over K people gives the right one a chance of K^-10: surer, and wronger, than to guess."""
    fails: bool = False
    """Whether such a training ends in an error. By default its run is kept and marked: a seed that
    diverges is a result of the method, and another in its place makes the method look better."""


class Profile(Settings):
    """Everything that one grid of runs depends on."""

    heading: Annotated[str, Field(min_length=1)] | None = Field(None, validation_alias="title")
    """`title` in the file: what the page is called; default: what is asked of the paper."""
    recipe: Recipe
    """The side of each method's recipe; a method that lacks it has the other instead."""
    recipes: dict[MethodName, str] = Field(default_factory=dict)
    """Another side or a variant, by method."""
    methods: tuple[MethodName, ...] = Field(min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1, max_length=SEEDS)
    reference_method: MethodName | None = None
    """Every other method is compared with this one; default: `statistics.reference_method`."""
    rankings: tuple[Ranking, ...] = Field(("plain", "rk"), min_length=1)
    datasets: dict[Name, DatasetSettings] = Field(min_length=1)
    test_on: dict[Name, tuple[Name, ...]] = Field(default_factory=dict)
    """By data set, other ones of the profile that its runs are tested on, too; `all` stands for
    every data set and all others. No run depends on it."""
    scale: ScaleSettings = FULL
    changes: dict[MethodName, dict[str, RecipeChanges]] = Field(default_factory=dict)
    """What is changed in recipes on purpose: by method, then by data set or `all`."""
    start: Start | None
    """What backbones start from; null for random weights."""
    weights: dict[Name, dict[MethodName, PlainPath]] = Field(default_factory=dict)
    """The authors' released checkpoint of each data set and method; where there are any, every run
    is made of one and nothing is trained."""
    hardware: HardwareSettings = HardwareSettings()
    ranking: RankingSettings = RankingSettings()
    doubts: DoubtSettings = DoubtSettings()
    divergence: DivergenceSettings = DivergenceSettings()
    snapshots: SnapshotSettings = SnapshotSettings()
    resources: ResourceSettings = ResourceSettings()

    @field_validator("seeds", mode="before")
    @classmethod
    def _list_of_seeds(cls, value: object) -> object:
        if isinstance(value, int):
            wanted = list(range(1, value + 1)) if 1 <= value <= 20 else [1, 2, 3]
            raise ValueError(f"{value} is no list of seeds; write {wanted}")
        return value

    @field_validator("test_on", mode="before")
    @classmethod
    def _spelled_out(cls, value: object, info: ValidationInfo) -> object:
        return spelled_out(value, list(info.data.get("datasets", {})))

    @model_validator(mode="after")
    def _check(self) -> "Profile":
        for key, values in (
            ("seeds", self.seeds),
            ("methods", self.methods),
            ("rankings", self.rankings),
        ):
            twice = sorted({str(value) for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{key} lists {', '.join(twice)} twice; name each once")
        if self.reference_method not in (None, *self.methods):
            raise ValueError(
                f"reference_method is {self.reference_method}, which the profile does not run"
                f"{nearest(self.reference_method or '', list(self.methods))}; name one of "
                f"{', '.join(self.methods)}"
            )
        roots = [dataset.root for dataset in self.all_datasets().values()]
        drawn = [dataset.root for dataset in self.all_datasets().values() if dataset.render]
        shared = sorted({str(root) for root in drawn if roots.count(root) > 1})
        if shared:
            raise ValueError(f"two data sets draw into the folder {shared[0]}; give each its own")
        people = self.scale.people or 0
        for name, dataset in self.all_datasets().items():
            wanted = people
            if name == PRETRAINING and isinstance(self.start, PretrainingSettings):
                wanted = self.start.people
            if dataset.render and dataset.render.train_people < wanted:
                key = "start.dataset" if name == PRETRAINING else f"datasets.{name}"
                raise ValueError(
                    f"{key}.render.train_people is {dataset.render.train_people}, fewer "
                    f"than the {wanted} people of a batch"
                )
        if isinstance(self.start, PretrainingSettings) and PRETRAINING in self.datasets:
            raise ValueError(f"a data set may not be called '{PRETRAINING}': it is taken")
        for method, by_dataset in self.changes.items():
            for name in by_dataset:
                known = [*self.datasets, EVERYWHERE]
                if name not in known:
                    raise ValueError(
                        f"changes.{method} names the data set '{name}'{nearest(name, known)}; name "
                        f"one of {', '.join(known)}"
                    )
        self._check_snapshots()
        require_others(self.test_on, list(self.datasets))
        return self

    @model_validator(mode="after")
    def _check_sides(self, info: ValidationInfo) -> "Profile":
        """Look up what methods' files alone know: sides of recipes, and augmentations."""
        folders = (info.context or {}).get(METHOD_FOLDERS, ())
        files = method_files(folders)
        for method, side in self.recipes.items():
            sides = declared(files[method]).sides if method in files else ()
            if sides:
                require_known(f"recipes.{method}", "side", side, {*sides, *get_args(Recipe)})
        for name in self.scale.without:
            require_known("scale.without", "augmentation", name, augmentations(folders))
        return self

    def _check_snapshots(self) -> None:
        watch = self.watch
        for key, wanted, known in (
            ("dataset", [watch.dataset], list(self.datasets)),
            ("methods", watch.methods, self.methods),
            ("seed", [watch.seed], self.seeds),
        ):
            for value in wanted:
                if value not in known:
                    names = [str(each) for each in known]
                    raise ValueError(
                        f"snapshots.{key} names {value}, which the profile does not run"
                        f"{nearest(str(value), names)}; name one of {', '.join(names)}"
                    )

        passes = self.scale.epochs
        if passes and watch.epochs and watch.epochs[-1] > passes:
            raise ValueError(
                f"snapshots.epochs names {watch.epochs[-1]}, and the training has {passes} epochs"
            )

    @property
    def watch(self) -> Watch:
        """Which snapshots training keeps, every default filled in."""
        own = self.snapshots
        shown = [method for method in _SHOWN if method in self.methods]
        return Watch(
            dataset=next(iter(self.datasets)) if own.dataset is None else own.dataset,
            methods=tuple(shown) if own.methods is None else own.methods,
            seed=self.seeds[0] if own.seed is None else own.seed,
            queries=own.queries,
            query_paths=own.query_paths,
            epochs=own.epochs,
        )

    @property
    def rendered(self) -> bool:
        """Whether any data set is drawn, so that its numbers mean nothing beside the paper's."""
        return any(dataset.render for dataset in self.datasets.values())

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        """Which data sets the runs of another one are tested on, too; none by default."""
        return crossings(self.test_on, list(self.datasets))

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
        return pick("data set", name, self.all_datasets())

    def title(self, dataset: str) -> str:
        """Return how readers call a data set, whether the profile has it or not."""
        settings = self.datasets.get(dataset)
        return (settings.title if settings else None) or dataset

    def changes_of(self, method: str, dataset: str) -> list[RecipeChanges]:
        """Return the changes of a method's recipe on a data set, the general ones first."""
        by_dataset = self.changes.get(method, {})
        return [by_dataset[key] for key in (EVERYWHERE, dataset) if key in by_dataset]

    def side(self, method: str) -> str:
        """Return the side or variant of a method's recipe that the profile asks for."""
        return self.recipes.get(method, self.recipe)

    def require_method(self, name: str) -> None:
        """Raise a UserError where the profile has no method of that name."""
        pick("method", name, dict.fromkeys(self.methods))

    def require_weights(self) -> None:
        """Raise a UserError where released checkpoints do not make up the whole grid.

        They are for all runs or none, and there is one a cell. Not checked while parameters are
        read: a profile that inherits another's data sets would otherwise stop that one too.
        """
        if not self.weights:
            return
        grid = {(dataset, method) for dataset in self.datasets for method in self.methods}
        named = {(dataset, method) for dataset, by in self.weights.items() for method in by}
        for dataset, method in sorted(grid - named):
            raise UserError(
                f"weights has no checkpoint of {method} for {dataset}: name one in params.yaml, or "
                "leave the method or the data set out of this profile."
            )
        for dataset, method in sorted(named - grid):
            raise UserError(
                f"weights names {method} for {dataset}, which this profile does not run: add it "
                "to the profile's methods or data sets, or take the checkpoint out."
            )
        if len(self.seeds) != 1:
            raise UserError(
                f"seeds lists {len(self.seeds)}, and a released checkpoint is one run: list one "
                "seed, such as 0."
            )
        if self.recipe != "released":
            raise UserError(
                f"recipe is '{self.recipe}', and weights are of 'released': name that recipe."
            )

    def require_pretraining(self) -> PretrainingSettings:
        """Return how backbones are pretrained.

        Raises
        ------
        UserError
            The profile does not pretrain.
        """
        if not isinstance(self.start, PretrainingSettings):
            raise UserError("this profile does not pretrain: its start in params.yaml is another.")
        return self.start

    def require_backbone(self, backbone: Path | None) -> None:
        """Raise a UserError where runs start from a pretrained backbone and none is given."""
        if isinstance(self.start, PretrainingSettings) and backbone is None:
            raise UserError(
                "this profile starts from a pretrained backbone: name it with --backbone, as "
                "`topdb pretrain` wrote it."
            )
