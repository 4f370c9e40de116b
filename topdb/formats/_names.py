"""What arrays are called in other toolkits, and which side and role an array has.

A name is cut into words: `query_feat`, `queryFeat` and `query/feat` are the words query and feat.
All of them must be known, so that `q_clothes_ids` or `gallery_frames` pass for nothing else. A
word that is missing may come from the name of the file: `query.npy`, `gallery.mat`. There, unknown
words are passed over.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from topdb.errors import UserError
from topdb.formats._start import shown

Side = Literal["query", "gallery", "all"]
Role = Literal["features", "pids", "camids", "paths", "split", "num_query"]
Key = tuple[Side, Role]

_MOST = 10_000
"""Names in one file; a file with more holds something else."""

_SIDES: dict[str, Side] = {
    **dict.fromkeys(("q", "query", "queries", "probe", "probes"), "query"),
    **dict.fromkeys(("g", "gal", "gall", "gallery", "galleries"), "gallery"),
}
_FEATURES = {
    *("f", "fs", "feat", "feats", "feature", "features", "vec", "vecs", "vector", "vectors"),
    *("emb", "embs", "embed", "embeds", "embedding", "embeddings"),
}
_CAMERAS = {"c", "cam", "cams", "camid", "camids", "camera", "cameras"}
_PATHS = {
    *("path", "paths", "name", "names", "file", "files", "filename", "filenames"),
    *("imgpath", "imgpaths", "impath", "impaths", "filepath", "filepaths"),
}
_PEOPLE = {
    *("pid", "pids", "i", "id", "ids", "l", "label", "labels", "target", "targets"),
    *("person", "persons", "people", "personid", "identity", "identities"),
}
_FILLERS = {"img", "imgs", "image", "images", "all", "list", "array"}
_ROLES: tuple[tuple[set[str], set[str], Role], ...] = (
    (_FEATURES, {"vector", "vectors"}, "features"),
    (_CAMERAS, {"id", "ids"}, "camids"),
    (_PATHS, set(), "paths"),
    (_PEOPLE, set(), "pids"),
)
"""Words of a role, and words that may stand beside one of them; the first role that fits."""
_NUMBERS_OF_QUERIES = {"numquery", "numqueries", "nquery", "nqueries", "numq", "nq"}
_SPLITS = {"split", "subset", "side"}
_GLUED = re.compile(
    r"(q|g|query|gallery|probe|test)"
    r"(f|fs|feats?|features?|emb|c|cams?|camids?|i|ids?|pids?|l|labels?|paths?|names?)"
)
"""Both words in one, as in `qf`."""


@dataclass(frozen=True)
class Layout:
    """Whose names these are."""

    title: str
    names: frozenset[str]
    """Where all of them are there, the layout is this one, and its names go before others."""
    metric: str | None = None
    """The distance that the toolkit uses itself, where it is another than topdb's."""


LAYOUTS = (
    Layout(
        "topdb layout",
        frozenset({"query_features", "gallery_features", "query_pids", "gallery_pids"}),
    ),
    Layout("torchreid layout", frozenset({"qf", "gf", "q_pids", "g_pids"})),
    Layout(
        "Person_reID_baseline_pytorch layout",
        frozenset({"query_f", "gallery_f", "query_label", "gallery_label"}),
    ),
    Layout("fast-reid layout", frozenset({"features", "pids", "camids"}), "cosine"),
    Layout("reid-strong-baseline layout", frozenset({"feats", "pids"})),
)
_OTHER = Layout("arrays under other names", frozenset())
_BATCHES = Layout("fast-reid layout", frozenset({"feats", "pids", "camids"}), "cosine")


@dataclass(frozen=True, eq=False)
class Entry:
    """One array of a file; an array without a name has the name ''."""

    file: Path
    name: str
    value: Any
    """An array, a number, a text, or a list of these; None where it was not read."""
    batches: bool = False
    """Whether it came in batches of dictionaries, as fast-reid's evaluator keeps them."""

    def __str__(self) -> str:
        return f"{shown(self.file)}: {shown(self.name)}" if self.name else shown(self.file)


def _words(name: str) -> list[str]:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = [word for word in re.split(r"[^a-z0-9]+", apart.lower()) if word]
    glued = [(match.groups() if (match := _GLUED.fullmatch(word)) else (word,)) for word in words]
    return [each for group in glued for each in group]


def _side(words: Sequence[str]) -> Side | None:
    """Return the one side that is named; None where both are, or none."""
    found = {_SIDES[word] for word in words if word in _SIDES}
    if not found and "test" in words:
        return "gallery"
    return found.pop() if len(found) == 1 else None


def _role(words: Sequence[str]) -> Role | None:
    """Return the role of words of which none names a side, and all are known."""
    if "".join(words) in _NUMBERS_OF_QUERIES:
        return "num_query"
    if words and set(words) <= _SPLITS:
        return "split"
    rest = set(words) - _FILLERS
    for own, beside, role in _ROLES:
        if rest & own and rest <= own | beside:
            return role
    return None


def role_of(name: str) -> Role | None:
    """Return the role of an array or column of that name; None where a word of it is unknown."""
    words = _words(name)
    return _role(words) or _role([word for word in words if word not in _SIDES and word != "test"])


def meaning(entry: Entry) -> Key | None:
    words = _words(entry.name)
    stem = _words(entry.file.stem)
    role = role_of(entry.name) if entry.name else _role_of_stem(stem)
    if role is None and entry.name and set(words) - _FILLERS <= {*_SIDES, "test"}:
        role = _role_of_kind(entry.value)  # query and gallery, and nothing else
    if role is None and not entry.name:
        role = _role_of_kind(entry.value)
    if role is None:
        return None
    if role in ("num_query", "split"):
        return "all", role
    return _side(words) or _side(stem) or "all", role


def _role_of_stem(words: Sequence[str]) -> Role | None:
    if any("".join(words[at : at + 2]) in _NUMBERS_OF_QUERIES for at in range(len(words))):
        return "num_query"
    known = [word for word in words if word not in _FILLERS]
    for own, _, role in _ROLES:
        if any(word in own and word not in ("name", "names", "file", "files") for word in known):
            return role
    return "paths" if set(known) & _PATHS else None


def _role_of_kind(value: Any) -> Role | None:
    """Return what an array without a name must be: rows of numbers, or texts."""
    if isinstance(value, list) and value:
        value = value[0]
        if isinstance(value, np.ndarray) and value.ndim:
            return "features"
    if isinstance(value, str) or getattr(value, "dtype", np.dtype("V")).kind in "US":
        return "paths"
    if isinstance(value, np.ndarray) and value.ndim >= 2 and value.dtype.kind in "fiub":
        # Labels are (1, N) or (N, 1), and whole numbers.
        return None if 1 in value.shape and value.dtype.kind in "iu" else "features"
    return None


def is_wanted(name: str, path: Path) -> bool:
    """Whether an array of that name may be of use, so that it has to be read."""
    entry = Entry(path, name, np.zeros((2, 2)))
    return meaning(entry) is not None or re.fullmatch(r"arr_\d+", name) is not None


def entries(path: Path, content: Any, num_query: int | None = None) -> list[Entry]:
    """Return the arrays in what a file holds, whatever containers it put them in.

    Raises
    ------
    UserError
        There is nothing that could be an array of features or labels.
    """
    found = [
        Entry(path, name, value, batches)
        for name, value, batches in _unfold("", content, num_query, 0)
    ]
    if not found:
        raise UserError(
            f"{shown(path)} holds no array: write the features of query and gallery, with labels "
            "and cameras."
        )
    if len(found) > _MOST:
        raise UserError(
            f"{shown(path)} holds over {_MOST} arrays: name a file of features with their labels."
        )
    return found


def _unfold(
    name: str, value: Any, num_query: int | None, depth: int
) -> Iterator[tuple[str, Any, bool]]:
    if depth > 6:
        raise ValueError("containers in containers, over six deep")
    if isinstance(value, Mapping):
        positional = [value.get(f"arr_{n}") for n in range(len(value))]
        if len(value) >= 3 and all(each is not None for each in positional):
            value = positional  # numpy.savez without names
        elif _is_by_path(value):
            yield f"{name}/paths", [str(each) for each in value], False
            yield f"{name}/features", list(value.values()), False
            return
        else:
            for key, each in value.items():
                yield from _unfold(
                    f"{name}/{key}" if name else str(key), each, num_query, depth + 1
                )
            return
    if isinstance(value, list | tuple):
        parts = _by_place(value, num_query)
        if parts is not None:
            for key, each, batches in parts:
                whole = f"{name}/{key}" if name else key
                for deep, part, again in _unfold(whole, each, num_query, depth + 1):
                    yield deep, part, batches or again
            return
    yield name, value, False


def _is_by_path(value: Mapping[Any, Any]) -> bool:
    """Whether it holds a vector under each image's path, as open-reid extracts them."""
    return (
        len(value) > 0
        and all(
            isinstance(key, str)
            and role_of(key) is None
            and np.ndim(each) == 1
            and np.size(each) > 1
            for key, each in value.items()
        )
        and len({np.shape(each) for each in value.values()}) == 1
    )


def _is_rows(value: Any) -> bool:
    """Whether it looks like features: two dimensions, or a list of arrays that have some."""
    if isinstance(value, np.ndarray):
        return value.ndim >= 2 and value.dtype.kind in "fiub"
    return isinstance(value, list) and bool(value) and _is_vector(value[0])


def _is_vector(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim >= 1 and value.dtype.kind == "f"


def _is_column(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim >= 1
    return isinstance(value, list | tuple) and not _is_rows(value)


_SIX = ("qf", "gf", "q_pids", "g_pids", "q_camids", "g_camids")
_THREES = ("qf", "q_pids", "q_camids", "gf", "g_pids", "g_camids")
_ONE_SIDE = ("feats", "pids", "camids")


def _by_place(value: Sequence[Any], num_query: int | None) -> list[tuple[str, Any, bool]] | None:
    """Return names for what stands in a list; None where the list is one array itself."""
    rows = [_is_rows(each) for each in value]
    if len(value) == 6 and sum(rows) == 2 and rows[0]:
        names = _SIX if rows[1] else _THREES
        if rows[1] or rows[3]:
            return [(name, each, False) for name, each in zip(names, value, strict=True)]
    if len(value) == 2 and all(_is_side(each) for each in value) and num_query is None:
        return [("query", _named(value[0]), False), ("gallery", _named(value[1]), False)]
    if value and all(isinstance(each, Mapping) for each in value):
        keys = list(value[0])
        if all(list(each) == keys for each in value):
            return [(str(key), [each[key] for each in value], True) for key in keys]
    if len(value) > 1 and all(_is_side(each) and not isinstance(each, Mapping) for each in value):
        columns = list(zip(*value, strict=True))
        return [(_ONE_SIDE[n], list(each), False) for n, each in enumerate(columns)]
    if len(value) in (3, 4) and sum(rows) == 1 and rows[0]:
        named = [(name, each, False) for name, each in zip(_ONE_SIDE, value, strict=False)]
        return named + [
            ("num_query" if np.ndim(each) == 0 else "paths", each, False) for each in value[3:]
        ]
    if len(value) == 1 and not isinstance(value[0], str | int | float):
        return [("", value[0], False)] if not isinstance(value[0], np.ndarray) else None
    return None


def _is_side(value: Any) -> bool:
    """Whether it is features, people and cameras of some images."""
    if isinstance(value, Mapping):
        return {"features", "pids"} <= {role_of(str(name)) for name in value}
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and _is_rows(value[0])
        and not any(_is_rows(each) for each in value[1:])
        and all(map(_is_column, value[1:]))
    )


def _named(value: Any) -> Any:
    return value if isinstance(value, Mapping) else dict(zip(_ONE_SIDE, value, strict=True))


def spread(found: Sequence[Entry]) -> tuple[dict[Key, Entry], Layout]:
    """Return which array has which side and role, and whose names they have.

    Raises
    ------
    UserError
        Two arrays could have one role, or none holds features.
    """
    names = {_last(each) for each in found}
    layout = next((each for each in LAYOUTS if each.names <= names), _OTHER)
    if any(each.batches for each in found):
        layout = _BATCHES
    candidates: dict[Key, list[Entry]] = {}
    for each in found:
        key = meaning(each)
        if key and each.value is not None:
            candidates.setdefault(key, []).append(each)
    taken: dict[Key, Entry] = {}
    for (side, role), several in candidates.items():
        own = [each for each in several if _last(each) in layout.names] or several
        if len(own) > 1:
            raise UserError(
                f"{own[0]} and {own[1]} could both be the {role} of {_of(side)}: keep one of them."
            )
        taken[side, role] = own[0]
    if not any(role == "features" for _, role in taken):
        held = [each.name or each.file.name for each in found]
        more = " and so on" if len(held) > 8 else ""
        raise UserError(
            f"{shown(found[0].file)} holds no features under a known name, but "
            f"{', '.join(shown(name) for name in held[:8])}{more}: call them query_features and "
            "gallery_features."
        )
    return taken, layout


def _last(entry: Entry) -> str:
    return re.split(r"[/.]", entry.name)[-1] if entry.name else entry.file.stem


def _of(side: Side) -> str:
    return "all images" if side == "all" else f"the {side}"
