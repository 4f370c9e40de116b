"""Whole projects on tiny input, in folders of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COPIED = (
    "Snakefile",
    "workflows",
    "profiles",
    "papers",
    "dvc.yaml",
    ".dvcignore",
    "requirements.lock",
)


def tiny_params() -> dict:
    """The shipped parameters, cut down to two small data sets, two methods and two seeds."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    mini = params["profiles"]["mini"]
    mini["methods"] = ["baseline", "top-db-net"]
    mini["seeds"] = [1, 2]
    mini["datasets"] = {name: mini["datasets"][name] for name in ("market1501", "cuhk03-detected")}
    small = {
        "train_people": 12,
        "test_people": 12,
        "cameras": 2,
        "train_images": 72,
        "query_images": 24,
        "gallery_images": 36,
        "near_duplicates": 0.0,
    }
    for dataset in [*mini["datasets"].values(), mini["start"]["dataset"]]:
        dataset["render"] = {"seed": dataset["render"]["seed"], **small}
    mini["start"]["epochs"] = 2
    mini["scale"]["epochs"] = 2
    mini["changes"] = {
        method: {
            "all": {
                "epochs": 2,
                "rules": {"network": {"rate": 8.0e-3}},
                "schedule": {"kind": "cosine", "warmup": 0.5},
            }
        }
        for method in mini["methods"]
    }
    params["profiles"] = {"mini": mini}
    return params


def environment() -> dict[str, str]:
    """The environment of commands that a test starts: our programs first, one thread each."""
    programs = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


def run(folder: Path, *command: str, timeout: int = 280) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder to its end; errors are in its output."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


class Project:
    """A folder with the workflow and parameters of its own."""

    def __init__(self, folder: Path, params: dict) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        for name in (*COPIED, "topdb"):
            source = ROOT / name
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=ignored)
            else:
                shutil.copy(source, folder / name)
        self.write(params)

    def write(self, params: dict) -> None:
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))

    def run(self, *command: str, timeout: int = 280) -> subprocess.CompletedProcess[str]:
        return run(self.folder, *command, timeout=timeout)

    def succeed(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def planned(self, *options: str) -> str:
        """What a dry run would do."""
        return self.succeed("snakemake", "all", "-n", "--cores", "2", *options)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict], Project]:
    return lambda params: Project(tmp_path_factory.mktemp("project"), params)
