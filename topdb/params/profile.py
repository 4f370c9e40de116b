"""A profile: everything that one grid of runs depends on."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from topdb.errors import UserError
from topdb.params.base import Fraction, Settings
from topdb.params.changes import RecipeChanges
from topdb.params.data import DatasetSettings
from topdb.params.hardware import HardwareSettings
from topdb.params.names import MethodName, Name, Ranking, Recipe, nearest, pick
from topdb.params.resources import ResourceSettings
from topdb.params.scale import FULL, ScaleSettings
from topdb.params.snapshots import SnapshotSettings, Watch
from topdb.params.start import PretrainingSettings, Start

PRETRAINING = "pretraining"
"""Name under which the index and the weights of the pretraining's data set are stored."""

EVERYWHERE = "all"
"""Stands for every data set in a profile's changes."""
_SHOWN = ("baseline", "top-db-net")


class RankingSettings(Settings):
    """How features are ranked and scored."""

    ap_rule: Literal["step", "trapezoid"] = "step"
    variant: Literal["torchreid", "zhong2017"] = "torchreid"
    """Which distances k-reciprocal re-ranking starts from."""
    k1: PositiveInt = 20
    k2: PositiveInt = 6
    original_weight: Fraction = 0.3
    """lambda of Zhong et al.: weight of the original distance in the re-ranked one."""
    single_gallery_shot: Annotated[int, Field(ge=0)] = 0
    """Draws of CUHK03's classic CMC, one gallery image a person; 0: the whole gallery."""


class Profile(Settings):
    """Everything that one grid of runs depends on."""

    recipe: Recipe
    """The side of each method's recipe; a method that lacks it has the other instead."""
    recipes: dict[MethodName, str] = Field(default_factory=dict)
    """Another side or a variant, by method."""
    methods: tuple[MethodName, ...] = Field(min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    reference_method: MethodName | None = None
    """Every other method is compared with this one; default: `statistics.reference_method`."""
    rankings: tuple[Ranking, ...] = Field(("plain", "rk"), min_length=1)
    datasets: dict[Name, DatasetSettings] = Field(min_length=1)
    scale: ScaleSettings = FULL
    changes: dict[MethodName, dict[str, RecipeChanges]] = Field(default_factory=dict)
    """What is changed in recipes on purpose: by method, then by data set or `all`."""
    start: Start | None
    """What backbones start from; null for random weights."""
    weights: dict[Name, dict[MethodName, Path]] = Field(default_factory=dict)
    """The authors' released checkpoint of each data set and method; where there are any, every run
    is made of one and nothing is trained."""
    hardware: HardwareSettings = HardwareSettings()
    ranking: RankingSettings = RankingSettings()
    snapshots: SnapshotSettings = SnapshotSettings()
    resources: ResourceSettings = ResourceSettings()

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
                f"reference_method is {self.reference_method}, which the profile does not run; "
                f"name one of {', '.join(self.methods)}"
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
                    raise ValueError(
                        f"snapshots.{key} names {value}, which the profile does not run; name one "
                        f"of {', '.join(map(str, known))}"
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
