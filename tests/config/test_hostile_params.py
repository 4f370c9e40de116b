"""Whatever a parameter file holds, reading it ends in parameters or in one sentence."""

import contextlib
import time

import pytest
import tiny
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from topdb.config import load
from topdb.errors import UserError

QUIET = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=8)
    | st.text(max_size=12)
    | st.sampled_from(["mini", "baseline", "../x", "data\0x", "a\nb", "\x1b[2J", "=", "<<", "~"])
)
CONTENT = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(SCALARS.filter(lambda key: not isinstance(key, bytes)), inner, max_size=4)
    ),
    max_leaves=12,
)


def dotted_keys(content: dict, before: str = "") -> list[str]:
    found = []
    for key, value in content.items():
        found.append(f"{before}{key}")
        if isinstance(value, dict):
            found += dotted_keys(value, f"{before}{key}.")
    return found


KEYS = [key for key in dotted_keys(tiny.TINY) if key not in ("profile", "profiles.tiny")]


def loaded(folder, content: str | bytes) -> None:
    path = folder / "params.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with contextlib.suppress(UserError):
        load(path)


@QUIET
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode()))
def test_any_bytes(tmp_path, content):
    loaded(tmp_path, content)


YAML_PIECES = st.sampled_from(
    [
        *("- ", "? ", ": ", "{", "}", "[", "]", "&a ", "*a ", "<<: ", "\n", "\n  ", "|\n ", ">\n "),
        *("!!map ", "!!seq ", "!!set ", "!!omap ", "!!pairs ", "!!int ", "!!float ", "!!str "),
        *("!!timestamp ", "!!binary ", "!!null ", "!!bool ", "!!merge ", "!x ", "!!python/none "),
        *("2001-99-99", "2001-01-01", "1:99", "0b", "0x_", "0o9", ".nan", "1e999", "'", '"', "#"),
        *("profile", "profiles", "x", "1", "a", "---\n", "...\n", "%YAML 1.1\n", "\t", "\\0", "="),
    ]
)


@QUIET
@given(pieces=st.lists(YAML_PIECES, max_size=14))
def test_any_pieces_of_yaml(tmp_path, pieces):
    loaded(tmp_path, "".join(pieces))


@QUIET
@given(content=CONTENT)
def test_any_structure(tmp_path, content):
    loaded(tmp_path, yaml.safe_dump(content))


@QUIET
@given(key=st.sampled_from(KEYS), value=CONTENT)
def test_any_value_in_place_of_any_other(tmp_path, key, value):
    *outer, last = key.split(".")
    content = tiny.content()
    inside = content
    for part in outer:
        inside = inside[part]
    inside[last] = value
    loaded(tmp_path, yaml.safe_dump(content))


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch pwned']",
        "!!python/object/new:os.system ['touch pwned']",
        "!!python/name:os.system",
        "!!python/module:os",
    ],
)
def test_a_tag_that_constructs_constructs_nothing(tag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny.write_params(tmp_path)
    path = tmp_path / "params.yaml"
    path.write_text(path.read_text().replace("profile: tiny", f"profile: {tag}"))
    with pytest.raises(UserError, match="could not determine a constructor"):
        load(path)
    assert not (tmp_path / "pwned").exists()


def refused(folder, content: str) -> str:
    path = folder / "params.yaml"
    path.write_text(content)
    began = time.monotonic()
    with pytest.raises(UserError) as said:
        load(path)
    assert time.monotonic() - began < 5
    assert len(str(said.value)) < 1000
    return str(said.value)


def test_aliases_that_multiply_are_a_short_sentence(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    refused(tmp_path, "\n".join([*lines, "profile: *a8", "profiles: *a8", "tracking: *a8"]))


@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
def test_nesting_without_end_is_a_short_sentence(depth, tmp_path):
    refused(tmp_path, "profile: " + "[" * depth + "]" * depth)
    refused(tmp_path, "profile: " + "{a: " * depth + "}" * depth)


@pytest.mark.parametrize("half", [r"\ud800", r"\uDFFF", r"\U0000d83d"])
def test_half_of_a_character_is_a_short_sentence(half, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(f'profile: "a{half}"\n')
    with pytest.raises(UserError, match=r"params\.yaml holds a value .*half of a character"):
        load(path)


def test_a_list_that_holds_itself_is_a_short_sentence(tmp_path):
    refused(tmp_path, "profile: &a [*a]\nprofiles: &b {x: *b}\n")


def test_a_number_of_many_digits_is_a_short_sentence(tmp_path):
    refused(tmp_path, f"profile: {'9' * 100_000}\n")


@pytest.mark.parametrize("root", ["data/a\\0b", "data/a\\nb", "data/\\e[2Jx"])
def test_a_folder_whose_name_holds_control_characters_is_refused(root, tmp_path):
    tiny.write_params(tmp_path)
    path = tmp_path / "params.yaml"
    path.write_text(path.read_text().replace("root: data/market1501", f'root: "{root}"'))
    with pytest.raises(UserError, match="root") as said:
        load(path)
    assert str(said.value).isprintable()
