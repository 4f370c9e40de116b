"""The profile for Kubernetes without a cluster: its dry run, and its jobs where nothing is shared.

A pod shares no file with any other. So here each job runs in an empty folder, gets the workflow
and its inputs from the bucket and leaves its outputs there, by the plugin `cluster-generic`, which
takes a command of ours in the place of Kubernetes.
"""

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from system.conftest import Project, tiny_params
from system.kubernetes.conftest import Bucket

HERE = Path(__file__).parent
PROFILE = "profiles/kubernetes/config.v9+.yaml"
PODS = [
    *("--workflow-profile", "profiles/pods"),
    *("--executor", "cluster-generic", "--jobs", "2"),
    *("--cluster-generic-submit-cmd", str(HERE / "submit.sh")),
    *("--cluster-generic-status-cmd", str(HERE / "status.sh")),
    *("--seconds-between-status-checks", "1", "--max-status-checks-per-second", "20"),
    # What the plugin for Kubernetes says of itself, `cluster-generic` has to be told.
    *("--shared-fs-usage", "none", "--job-deploy-sources"),
]
OF_KUBERNETES = ("executor", "container-image", "kubernetes-namespace")
COMPARED = (
    *(f"reports/table{table}.{kind}" for table in (1, 2) for kind in ("md", "csv", "tex")),
    "reports/verdict.json",
    "reports/metrics/plain/market1501/top-db-net.json",
    "reports/figure2.png",
    "reports/plots/seeds.svg",
    "reports/plots/training.csv",
)


@pytest.fixture(scope="module")
def project(new_project: Callable[[dict], Project]) -> Project:
    """A git repository, as pods are sent what git knows; eight trainings, both seeds in one job."""
    made = new_project(tiny_params())
    git = ["git", "-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], cwd=made.folder, check=True)
    return made


@pytest.fixture(scope="module")
def in_pods(project: Project, bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pods that made all of the project's files."""
    profile = yaml.safe_load((project.folder / PROFILE).read_text())
    profile = {key: value for key, value in profile.items() if key not in OF_KUBERNETES}
    (project.folder / "profiles/pods").mkdir()
    (project.folder / "profiles/pods/config.yaml").write_text(yaml.safe_dump(profile))
    pods = tmp_path_factory.mktemp("pods")
    said = bucket.snakemake(project.folder, "all", *PODS, PODS=str(pods))
    assert "(100%) done" in said
    return pods


def test_dry_run_of_the_profile(project: Project, bucket: Bucket) -> None:
    said = bucket.snakemake(
        project.folder, "reports/table2.md", "--dry-run", "--workflow-profile", "kubernetes"
    )
    assert "s3://topdb/results/mini/market1501/baseline/seed-1/weights.safetensors" in said
    assert "gpu_manufacturer=nvidia" in said
    stats = said[said.rindex("Job stats:") :].split()
    counted = {name: stats[stats.index(name) + 1] for name in ("render", "evaluate", "table")}
    assert counted == {"render": "3", "evaluate": "4", "table": "1"}


@pytest.mark.soak
def test_every_pod_ended_well_and_trainings_had_one_each(in_pods: Path) -> None:
    logs = [(pod / "log").read_text() for pod in in_pods.iterdir()]
    assert all((pod / "status").read_text() == "0\n" for pod in in_pods.iterdir())
    trainings = [log.count("\nlocalrule train") for log in logs]
    assert sum(trainings) == 4
    assert max(trainings) == 1
    drawn = [log for log in logs if "rule render:" in log]
    assert len(drawn) == 3
    assert all("rule index:" in log for log in drawn)
    assert sum("rule evaluate:" in log for log in logs) == 1


@pytest.mark.soak
def test_results_are_those_of_shared_files_bit_for_bit(
    in_pods: Path, project: Project, bucket: Bucket, new_project: Callable[[dict], Project]
) -> None:
    local = new_project(yaml.safe_load(project.text("params.yaml")))
    local.succeed("snakemake", "all", "--cores", "2")
    runs = sorted(local.folder.glob("results/mini/*/*/seed-*/weights.safetensors"))
    assert len(runs) == 8
    weights = tuple(path.relative_to(local.folder).as_posix() for path in runs)
    for name in (*COMPARED, *weights):
        expected = (local.folder / name).read_bytes()
        assert _digest(bucket.content(name)) == _digest(expected), name


@pytest.mark.soak
def test_nothing_is_left_to_do(in_pods: Path, project: Project, bucket: Bucket) -> None:
    said = bucket.snakemake(project.folder, "all", *PODS, PODS=str(in_pods))
    assert "Nothing to be done" in said


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
