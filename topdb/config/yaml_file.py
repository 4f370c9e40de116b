"""YAML's safe subset: bounded, and without a key that is given twice."""

import re
from pathlib import Path
from typing import Any

import yaml

from topdb.config.complaints import printable
from topdb.errors import UserError
from topdb.limits import YAML_VALUES, read_text

_DEEPEST = 50
"""Levels of nesting in a parameter file; those we know need eight."""

_HALF = re.compile(r"\\(u|U0000)[dD][89a-fA-F][0-9a-fA-F]{2}")
"""An escape of half a character, which no file, page or tracker can hold."""


def read_yaml(path: Path, remedy: str) -> object:
    """Read a file in YAML's safe subset, in which a key given twice is an error.

    Raises
    ------
    UserError
        The file is missing, to which `remedy` says what to do, or is no such YAML.
    """
    try:
        text = read_text(path)
        if half := _HALF.search(text):
            raise ValueError(f"{half[0]}, half of a character")
        _require_bounded(text)
        content: object = yaml.load(text, Loader=_UniqueKeys)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: {remedy}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}): name a readable YAML file.") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {_one_line(error)}. Correct it.") from None
    # What PyYAML's constructors raise on values that are not what they look like, as 2001-99-99.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = printable(str(error) or type(error).__name__)
        raise UserError(f"{path} holds a value that is none ({reason}): correct it.") from None
    return content


def _require_bounded(text: str) -> None:
    """Refuse nesting that would exhaust the stack, where libyaml ends the process, and anchors.

    An anchor that stands for many values is followed wherever its name is: ten lines may be a
    billion values.
    """
    sizes: dict[str | None, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        total += sizes.get(event.anchor, 0) if isinstance(event, yaml.AliasEvent) else 1
        if total > YAML_VALUES:
            raise yaml.YAMLError(f"it holds more than {YAML_VALUES:,} values, anchors followed")
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            sizes[anchor] = total - before + 1
        if len(open_nodes) > _DEEPEST:
            raise yaml.YAMLError(f"it nests more than {_DEEPEST} levels deep")


class _UniqueKeys(yaml.CSafeLoader):
    """YAML's safe subset, in which a key given twice is an error and not a silent override.

    As in YAML 1.2, which DVC reads and writes, `off` and `no` are words and not false.
    """

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


_UniqueKeys.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":bool")]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_UniqueKeys.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def _one_line(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return printable(f"{error.problem} in line {error.problem_mark.line + 1}")
    return printable(" ".join(str(error).split()))
