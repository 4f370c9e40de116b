"""Backbones: one file each, found by its name; `build()` returns the module and its channels."""

from importlib import import_module

from torch import nn


def build_backbone(name: str) -> tuple[nn.Module, int]:
    """Build a backbone that maps (B, 3, H, W) to (B, channels, h, w); return it and `channels`."""
    module = import_module(f"topdb.methods.backbones.{name.replace('-', '_')}")
    backbone: tuple[nn.Module, int] = module.build()
    return backbone
