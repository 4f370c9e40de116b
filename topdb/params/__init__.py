"""The typed, validated view of `params.yaml`: every parameter, and every check across them.

All objects are frozen; an unknown key is an error that names the key and the nearest known one.
"""

from topdb.params.base import Settings
from topdb.params.changes import RecipeChanges
from topdb.params.data import DatasetSettings, RenderSettings
from topdb.params.examples import ExamplesSettings
from topdb.params.file import (
    CheckSettings,
    Params,
    TrackingSettings,
    checked,
    load,
    load_bundled,
)
from topdb.params.hardware import HardwareSettings
from topdb.params.methods import declared, method_files
from topdb.params.names import Ranking, Recipe, dropped_in, nearest
from topdb.params.profile import EVERYWHERE, PRETRAINING, Profile, RankingSettings
from topdb.params.scale import FULL, ScaleSettings
from topdb.params.snapshots import SnapshotSettings, Watch
from topdb.params.start import IMAGENET_FILES, ImagenetSettings, PretrainingSettings
from topdb.params.statistics import StatisticsSettings

__all__ = [
    "EVERYWHERE",
    "FULL",
    "IMAGENET_FILES",
    "PRETRAINING",
    "CheckSettings",
    "DatasetSettings",
    "ExamplesSettings",
    "HardwareSettings",
    "ImagenetSettings",
    "Params",
    "PretrainingSettings",
    "Profile",
    "Ranking",
    "RankingSettings",
    "Recipe",
    "RecipeChanges",
    "RenderSettings",
    "ScaleSettings",
    "Settings",
    "SnapshotSettings",
    "StatisticsSettings",
    "TrackingSettings",
    "Watch",
    "checked",
    "declared",
    "dropped_in",
    "load",
    "load_bundled",
    "method_files",
    "nearest",
]
