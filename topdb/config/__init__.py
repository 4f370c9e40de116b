"""The typed, validated view of `params.yaml`: every parameter, and every check across them.

All objects are frozen; an unknown key is an error that names the key and the nearest known one.
"""

from topdb.config.base import Ranking, Recipe, Settings, dropped_in, nearest
from topdb.config.crossing import Crossing
from topdb.config.data import (
    IMAGENET_FILES,
    DatasetSettings,
    ImagenetSettings,
    LeakSettings,
    PretrainingSettings,
    RenderSettings,
)
from topdb.config.file import (
    CheckSettings,
    Params,
    StatisticsSettings,
    TrackingSettings,
    checked,
    load,
    load_bundled,
)
from topdb.config.hardware import HardwareSettings
from topdb.config.methods import declared, method_files, rebuilt_methods
from topdb.config.profile import (
    EVERYWHERE,
    PRETRAINING,
    DivergenceSettings,
    DoubtSettings,
    ExamplesSettings,
    Profile,
    RankingSettings,
    SnapshotSettings,
    Watch,
)
from topdb.config.scale import FULL, RecipeChanges, ScaleSettings

__all__ = [
    "EVERYWHERE",
    "FULL",
    "IMAGENET_FILES",
    "PRETRAINING",
    "CheckSettings",
    "Crossing",
    "DatasetSettings",
    "DivergenceSettings",
    "DoubtSettings",
    "ExamplesSettings",
    "HardwareSettings",
    "ImagenetSettings",
    "LeakSettings",
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
    "rebuilt_methods",
]
