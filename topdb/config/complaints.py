"""What is wrong with a parameter file, in one sentence that names the key."""

import re
import reprlib
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from topdb.config.base import Settings, nearest

_LONGEST = 600
"""Characters of a complaint."""
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxstring, _SHORT.maxother = 2, 4, 60, 60


def printable(text: str) -> str:
    """Return a text without control characters and of bounded length."""
    text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _shown(value: object) -> str:
    """Return a value as it may stand in a sentence, however much it holds."""
    try:
        return _SHORT.repr(value)
    except (ValueError, RecursionError):  # as numbers of thousands of digits do
        return f"a {type(value).__name__}"


def describe(path: Path | str, error: ValidationError, model: type[Settings]) -> str:
    """Turn one of pydantic's complaints into a sentence, an unknown key first; count the others."""
    complaints = error.errors(include_url=False)
    # A misspelt key is the reason why another one is missing.
    first = min(complaints, key=lambda each: each["type"] != "extra_forbidden")
    where = [part for part in first["loc"] if not _is_union_tag(part)]
    if not where and first["type"] == "model_type":
        return f"{path} holds no keys: write those that topdb/config describes."
    key = ".".join(str(part) for part in where)
    if first["type"] == "extra_forbidden":
        known = _known_keys(model, where[:-1])
        sentence = f"{path}: unknown key '{key}'{nearest(str(where[-1]), known)}."
    elif first["type"] == "missing":
        sentence = f"{path}: the key '{key}' is missing; add it."
    elif first["type"] == "value_error":
        reason = str(first["ctx"]["error"])
        sentence = f"{path}: {f'{key}: ' if key else ''}{reason}."
    else:
        value = first["input"] if not isinstance(first["input"], dict) else "a mapping"
        near = ""
        if first["type"] == "literal_error":
            near = nearest(str(value), re.findall("'([^']*)'", first["ctx"]["expected"]))
        sentence = f"{path}: '{key}' is {_shown(value)}: {first['msg'].lower()}{near}."
    more = len(complaints) - 1
    return printable(sentence) + (f" ({more} more like it.)" if more else "")


def _is_union_tag(part: int | str) -> bool:
    return part in ("cosine", "milestones", "stairs", "pretraining", "imagenet")


def _known_keys(root: type[Settings], where: list[int | str]) -> list[str]:
    """Return the keys that the parameter object at a position of the file understands."""
    models: list[type[Settings]] = [root]
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
