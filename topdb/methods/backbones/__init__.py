"""Backbones: one file each, found by its name.

To add one, drop a file into this folder. `my_backbone.py` becomes the backbone `my-backbone`; it
defines one function::

    def build(scale: ScaleSettings, ...) -> Stages

whose further arguments, all optional, are what methods may ask of it.
"""

from importlib import import_module
from typing import Any

from topdb.config.scale import ScaleSettings
from topdb.methods.parts.stages import Stages


def build_backbone(name: str, scale: ScaleSettings, **choices: Any) -> Stages:
    """Build the backbone of that name, or what stands in for it under the scale.

    It maps (B, 3, H, W) to (B, channels, h, w); `choices` are its builder's own.
    """
    module = import_module(f"topdb.methods.backbones.{scale.backbone(name).replace('-', '_')}")
    backbone: Stages = module.build(scale, **choices)
    return backbone
