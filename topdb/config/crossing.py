"""`test_on`: which data sets the runs of another one are tested on, too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from topdb.config.base import require_known

ALL = "all"
"""Stands for every data set, tested on all others."""


@dataclass(frozen=True, order=True)
class Crossing:
    """A data set that is trained on, and another that its runs are tested on."""

    source: str
    target: str

    @property
    def name(self) -> str:
        """What stands in place of a data set's name, which can hold no spaces."""
        return f"{self.source} -> {self.target}"


def spelled_out(value: object, names: Sequence[str]) -> object:
    """Return `test_on` as lists by data set, whatever it was; `names` are the profile's data sets.

    Raises
    ------
    ValueError
        It is neither `all` nor lists by data set.
    """
    if value == ALL:
        if len(names) == 1:
            raise ValueError(f"'{ALL}' asks for other data sets, and {names[0]} is the only one")
        return {name: [other for other in names if other != name] for name in names}
    if isinstance(value, Mapping) and not any(
        isinstance(each, str) or not isinstance(each, Sequence) for each in value.values()
    ):
        return value
    first, last = (names[0], names[-1]) if len(names) > 1 else ("market1501", "msmt17")
    raise ValueError(
        f"{value!r} does not say what is tested where; write {ALL}, or by data set a list of "
        f"others, such as {{ {first}: [{last}] }}"
    )


def require_others(test_on: Mapping[str, Sequence[str]], names: Sequence[str]) -> None:
    """Raise a ValueError where `test_on` names no data set of the profile, or the same one."""
    for source, targets in test_on.items():
        require_known("test_on", "data set", source, names)
        if not targets:
            raise ValueError(f"test_on.{source} lists no data set; name one, or leave {source} out")
        for target in targets:
            require_known(f"test_on.{source}", "data set", target, names)
            if target == source:
                raise ValueError(
                    f"test_on.{source} names {source} itself, where its runs are tested anyway; "
                    "name other data sets"
                )
            if list(targets).count(target) > 1:
                raise ValueError(f"test_on.{source} lists {target} twice; name each once")


def crossings(test_on: Mapping[str, Sequence[str]], names: Sequence[str]) -> tuple[Crossing, ...]:
    """Return each crossing, in the order of the profile's data sets."""
    return tuple(
        Crossing(source, target)
        for source in names
        for target in names
        if target in test_on.get(source, ())
    )
