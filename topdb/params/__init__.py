"""The typed, validated view of `params.yaml`: every parameter, and every check across them.

All objects are frozen; an unknown key is an error that names the key and the nearest known one.
"""

from topdb.params.base import Settings
from topdb.params.data import DatasetSettings, RenderSettings
from topdb.params.examples import ExamplesSettings
from topdb.params.file import (
    CheckSettings,
    Params,
    TrackingSettings,
    checked,
    load,
)
from topdb.params.names import Ranking, Recipe, dropped_in, nearest
from topdb.params.profile import PRETRAINING, Profile, RankingSettings
from topdb.params.snapshots import SnapshotSettings, Watch
from topdb.params.statistics import StatisticsSettings
from topdb.params.training import (
    IMAGENET_FILES,
    AugmentationSettings,
    CosineSchedule,
    ImagenetSettings,
    NetworkSettings,
    PretrainingSettings,
    Schedule,
    StepSchedule,
    TrainingSettings,
)

__all__ = [
    "IMAGENET_FILES",
    "PRETRAINING",
    "AugmentationSettings",
    "CheckSettings",
    "CosineSchedule",
    "DatasetSettings",
    "ExamplesSettings",
    "ImagenetSettings",
    "NetworkSettings",
    "Params",
    "PretrainingSettings",
    "Profile",
    "Ranking",
    "RankingSettings",
    "Recipe",
    "RenderSettings",
    "Schedule",
    "Settings",
    "SnapshotSettings",
    "StatisticsSettings",
    "StepSchedule",
    "TrackingSettings",
    "TrainingSettings",
    "Watch",
    "checked",
    "dropped_in",
    "load",
    "nearest",
]
