"""A profile: everything that one grid of runs depends on."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from topdb.errors import UserError
from topdb.params.base import Fraction, Settings
from topdb.params.data import DatasetSettings
from topdb.params.names import MethodName, Name, Ranking, Recipe, pick
from topdb.params.resources import ResourceSettings
from topdb.params.snapshots import SnapshotSettings, Watch
from topdb.params.training import (
    CosineSchedule,
    NetworkSettings,
    PretrainingSettings,
    Start,
    TrainingSettings,
)

PRETRAINING = "pretraining"
"""Name under which the index and the weights of the pretraining's data set are stored."""

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
    methods: tuple[MethodName, ...] = Field(min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    rankings: tuple[Ranking, ...] = Field(("plain", "rk"), min_length=1)
    datasets: dict[Name, DatasetSettings] = Field(min_length=1)
    network: NetworkSettings
    start: Start | None
    """What the backbone starts from; null for random weights."""
    weights: dict[Name, dict[MethodName, Path]] = Field(default_factory=dict)
    """The authors' released checkpoint of each data set and method; where there are any, every run
    is made of one and nothing is trained."""
    training: TrainingSettings
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
        roots = [dataset.root for dataset in self.all_datasets().values()]
        drawn = [dataset.root for dataset in self.all_datasets().values() if dataset.render]
        shared = sorted({str(root) for root in drawn if roots.count(root) > 1})
        if shared:
            raise ValueError(f"two data sets draw into the folder {shared[0]}; give each its own")
        for name, dataset in self.all_datasets().items():
            if dataset.render and dataset.render.train_people < self.training.people_per_batch:
                key = "start.dataset" if name == PRETRAINING else f"datasets.{name}"
                raise ValueError(
                    f"{key}.render.train_people is {dataset.render.train_people}, fewer "
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
        if watch.epochs and watch.epochs[-1] > self.training.epochs:
            raise ValueError(
                f"snapshots.epochs names {watch.epochs[-1]}, and the training has "
                f"{self.training.epochs} epochs"
            )

    @property
    def watch(self) -> Watch:
        """Which snapshots training keeps, every default filled in."""
        own, last = self.snapshots, self.training.epochs
        shown = [method for method in _SHOWN if method in self.methods]
        return Watch(
            dataset=next(iter(self.datasets)) if own.dataset is None else own.dataset,
            methods=tuple(shown) if own.methods is None else own.methods,
            seed=self.seeds[0] if own.seed is None else own.seed,
            queries=own.queries,
            query_paths=own.query_paths,
            epochs=tuple(sorted({1, (last + 1) // 2, last})) if own.epochs is None else own.epochs,
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

    def require_backbone(self, backbone: Path | None) -> None:
        """Raise a UserError where runs start from a pretrained backbone and none is given."""
        if isinstance(self.start, PretrainingSettings) and backbone is None:
            raise UserError(
                "this profile starts from a pretrained backbone: name it with --backbone, as "
                "`topdb pretrain` wrote it."
            )
