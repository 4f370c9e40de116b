"""A training job that is killed under Snakemake goes on from its checkpoint."""

import contextlib
import json
import os
import signal
import subprocess
import time

from system.conftest import environment, tiny_params

RUN = "results/mini/market1501/baseline/seed-1"


def test_snakemake_clears_results_away_before_a_job_starts_again_and_keeps_checkpoints(
    new_project,
):
    params = tiny_params()
    mini = params["profiles"]["mini"]
    mini["scale"]["epochs"] = 60
    mini["hardware"] = {"checkpoint_seconds": 0.0, "runs_per_job": 1}
    project = new_project(params)
    command = ["snakemake", f"{RUN}/run.json", "--cores", "2"]
    running = subprocess.Popen(
        command,
        cwd=project.folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    ends = time.monotonic() + 120
    while len(list(project.folder.glob(f"{RUN}/checkpoints/*/*.json"))) < 2:
        assert running.poll() is None
        assert time.monotonic() < ends
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    (project.folder / RUN / "history.csv").write_text("half a result")

    project.succeed(*command)
    record = json.loads(project.text(f"{RUN}/run.json"))
    assert len(record["resumed"]) == 1

    # As after a kill that came before Snakemake saw the job end: it clears all four files away.
    written = (project.folder / RUN / "weights.safetensors").stat().st_ino
    (project.folder / RUN / "run.json").unlink()
    project.succeed(*command)
    assert json.loads(project.text(f"{RUN}/run.json")) == record
    assert (project.folder / RUN / "weights.safetensors").stat().st_ino == written

    project.succeed("snakemake", f"{RUN}/plain/metrics.json", "--cores", "2")
    assert not (project.folder / RUN / "checkpoints").exists()
    (project.folder / RUN / "run.json").unlink()
    project.succeed(*command)
    again = json.loads(project.text(f"{RUN}/run.json"))
    assert again["resumed"] == []
    assert again["weights_digest"] == record["weights_digest"]
