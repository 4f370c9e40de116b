"""What the README tells people to type is there."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from topdb.config import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
SHELL = [
    line.partition("  #")[0].strip()
    for language, block in BLOCKS
    if language == "sh"
    for line in block.splitlines()
    if line.strip()
]


CODE = "\n".join([*SHELL, *re.findall(r"`([^`\n]+)`", README)])
"""What stands in shell blocks and between backticks."""


def test_the_two_commands_stand_first():
    assert [line for line in SHELL if line.startswith("make")][:2] == ["make table2", "make test"]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([\w-]+)", CODE))))
def test_every_make_target_exists(target):
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", sorted(set(re.findall(r"\btopdb ([a-z-]+)", CODE))))
def test_every_command_exists(command):
    done = subprocess.run(["topdb", command, "--help"], capture_output=True, check=False)
    assert done.returncode == 0


def test_the_example_of_a_data_set_is_accepted(tmp_path):
    block = next(b for language, b in BLOCKS if language == "yaml" and "layout" in b)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["profiles"]["paper"]["datasets"].update(yaml.safe_load(block))
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(params))
    assert load(file).selected("paper").datasets.keys() > {"market1501"}


def test_every_linked_file_exists():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
