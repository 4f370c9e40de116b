"""MLflow: the story of each training run. No other file of the package knows MLflow.

A run's own files are the truth; the tracker is told about them, and its absence never stops a
run. MLFLOW_TRACKING_URI points to a server; without it an SQLite file beside the results serves.
"""

import csv
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from topdb.errors import UserError
from topdb.files import digest, read_json, write_json
from topdb.grid import GridRun, runs
from topdb.params import Params, TrackingSettings

STORE = Path("results/mlflow.db")
"""The embedded store, relative to the working folder."""

_IDENTITY = "topdb.identity"
_HISTORY = "topdb.history"
_QUIET_AND_QUICK = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Without them a dead server holds a call up for four minutes, and MLflow calls home."""


@dataclass
class LiveRun:
    """A run that MLflow is told about epoch by epoch; after a failure it is told no more."""

    run_id: str | None = None
    _client: Any = None
    _complete: bool = field(default=True)

    def log_epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Send one epoch's numbers in one batch."""
        if self._client is None:
            return
        try:
            self._client.log_batch(self.run_id, metrics=_metrics(values, epoch))
        except Exception as error:  # whatever the store raises, training goes on
            _warn(error)
            self._client, self._complete = None, False

    def close(self, succeeded: bool) -> None:
        """End the run; a history that arrived whole is marked, so that it is not sent again."""
        if self._client is None:
            return
        try:
            if succeeded and self._complete:
                self._client.set_tag(self.run_id, _HISTORY, "complete")
            self._client.set_terminated(self.run_id, "FINISHED" if succeeded else "FAILED")
        except Exception as error:
            _warn(error)


@contextmanager
def live_run(settings: TrackingSettings, tags: Mapping[str, str]) -> Iterator[LiveRun]:
    """Open a run for the time of a training; where the tracker is out of reach, a silent one."""
    run = LiveRun()
    if settings.mode == "live":
        try:
            client, experiment = _connect(settings)
            started = client.create_run(experiment, tags=dict(tags), run_name=_name(tags))
            run = LiveRun(started.info.run_id, client)
        except Exception as error:
            _warn(error)
    try:
        yield run
    except BaseException:
        run.close(succeeded=False)
        raise
    run.close(succeeded=True)


def track_finished(params: Params, profile: str, results: Path, receipt: Path) -> str:
    """Tell MLflow about every finished run that it does not know, and write a receipt.

    The receipt lists the MLflow id of each run, and those that could not be told; running the
    command again sends just these. Returns a sentence for the person who ran it.

    Raises
    ------
    UserError
        Tracking is off in the parameters.
    """
    if params.tracking.mode == "off":
        raise UserError("tracking.mode is off in params.yaml: set it to live or after.")
    grid = [run for run in runs(params.selected(profile)) if _record(run, results).is_file()]
    told: dict[str, str] = {}
    failure = ""
    try:
        client, experiment = _connect(params.tracking)
        known = _known(client, experiment)
        for run in grid:
            content = read_json(_record(run, results))
            identity = _identity(params, profile, run, content, results)
            told[_label(run)] = known.get(identity) or _send(
                client, experiment, identity, run, content, results, params, profile
            )
    except UserError:
        raise
    except Exception as error:
        _warn(error)
        failure = type(error).__name__
    missing = [_label(run) for run in grid if _label(run) not in told]
    write_json(receipt, {"store": _public_uri(), "tracked": told, "missing": missing})
    if failure:
        return (
            f"MLflow could not be told about {len(missing)} of {len(grid)} runs ({failure}): "
            "their files are complete; run `topdb track` again when it is back."
        )
    return f"MLflow knows all {len(grid)} finished runs ({_public_uri()})."


def _identity(
    params: Params, profile: str, run: GridRun, content: Mapping[str, Any], results: Path
) -> str:
    """Return what a run is known by: it changes with its weights and with its scores."""
    files = [run.metrics(results, ranking) for ranking in params.selected(profile).rankings]
    scores = [digest(file)[:16] if file.is_file() else "none" for file in files]
    parts = [profile, run.dataset, run.method, str(run.seed), content["weights_digest"], *scores]
    return ":".join(parts)


def _send(
    client: Any,
    experiment: str,
    identity: str,
    run: GridRun,
    content: Mapping[str, Any],
    results: Path,
    params: Params,
    profile: str,
) -> str:
    """Send one run; its identity, which marks it as known, is set last."""
    from mlflow.entities import Param, RunTag

    tags = run_tags(profile, run.dataset, run.method, run.seed)
    run_id = content.get("mlflow_run_id")
    history_known = False
    if run_id:
        history_known = _history_is_known(client, run_id)
    if not history_known:
        run_id = client.create_run(experiment, tags=tags, run_name=_name(tags)).info.run_id
        with (run.folder(results) / "history.csv").open(newline="", encoding="utf-8") as stream:
            points = [
                point
                for row in csv.DictReader(stream)
                for point in _metrics(
                    {key: float(value) for key, value in row.items() if key != "epoch"},
                    int(row["epoch"]),
                )
            ]
        for start in range(0, len(points), 1000):
            client.log_batch(run_id, metrics=points[start : start + 1000])
    described = {
        "recipe": content["recipe"],
        "start": json.dumps(content["start"]),
        **{
            f"ranking.{key}": value
            for key, value in params.selected(profile).ranking.model_dump(mode="json").items()
        },
        **{
            f"{part}.{key}": value
            for part in ("network", "training")
            for key, value in content[part].items()
        },
    }
    final = {
        f"{ranking}_{name}": value
        for ranking in params.selected(profile).rankings
        if (path := run.metrics(results, ranking)).is_file()
        for name, value in _summary(read_json(path)).items()
    }
    environment = content["environment"]
    git = environment["git"] or {}
    client.log_batch(
        run_id,
        metrics=_metrics(final, 0),
        params=[Param(key, str(value)) for key, value in described.items()],
        tags=[
            RunTag("git_commit", str(git.get("commit"))),
            RunTag("git_dirty", str(git.get("dirty"))),
            RunTag("index_digest", content["index_digest"]),
            RunTag("weights_digest", content["weights_digest"]),
            RunTag("device", environment["device"]),
            *(RunTag(f"version.{k}", str(v)) for k, v in environment["versions"].items()),
        ],
    )
    client.set_terminated(run_id, "FINISHED")
    client.set_tag(run_id, _IDENTITY, identity)
    return str(run_id)


def _history_is_known(client: Any, run_id: str) -> bool:
    """Whether a run that was tracked live arrived whole in this store, if it is known there."""
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run_id).data.tags.get(_HISTORY) == "complete")
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False


def run_tags(profile: str, dataset: str, method: str, seed: int) -> dict[str, str]:
    """Return the tags by which a run is found."""
    return {"profile": profile, "dataset": dataset, "method": method, "seed": str(seed)}


def _summary(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {
        "mAP": metrics["mAP"],
        "mINP": metrics["mINP"],
        **{f"R{rank}": value for rank, value in metrics["cmc"].items()},
    }


def _connect(settings: TrackingSettings) -> tuple[Any, str]:
    """Return a client and the experiment's id, creating the embedded store where needed."""
    for name, value in _QUIET_AND_QUICK.items():
        os.environ.setdefault(name, value)
    uri = _uri()
    with _alone(uri):
        import mlflow

        client = mlflow.MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(settings.experiment)
        if found:
            return client, found.experiment_id
        return client, client.create_experiment(settings.experiment)


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Let one process at a time create an SQLite store: its migrations race and break it."""
    if not uri.startswith("sqlite:"):
        yield
        return
    STORE.parent.mkdir(parents=True, exist_ok=True)
    with STORE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _known(client: Any, experiment: str) -> dict[str, str]:
    """Return MLflow's id of every run that it was told about completely, by identity."""
    known: dict[str, str] = {}
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for run in page:
            if _IDENTITY in run.data.tags:
                known[run.data.tags[_IDENTITY]] = run.info.run_id
        token = page.token
        if not token:
            return known


def _metrics(values: Mapping[str, float], step: int) -> list[Any]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(key, float(value), now, step) for key, value in values.items()]


def _record(run: GridRun, results: Path) -> Path:
    return run.folder(results) / "run.json"


def _label(run: GridRun) -> str:
    return f"{run.dataset}/{run.method}/seed-{run.seed}"


def _name(tags: Mapping[str, str]) -> str:
    return f"{tags['method']} on {tags['dataset']}, seed {tags['seed']}"


def _uri() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{STORE}"


def _public_uri() -> str:
    """Return the store's address without a user's name or password."""
    return _without_secrets(_uri())


def _without_secrets(text: str) -> str:
    """Leave the user's name and password out of a text that may name the store."""
    netloc = urlsplit(_uri()).netloc
    return text.replace(netloc, netloc.rpartition("@")[2]) if netloc else text


def _warn(error: Exception) -> None:
    reason = " ".join(_without_secrets(str(error)).split())[:200]
    print(
        f"topdb: MLflow is out of reach ({type(error).__name__}: {reason}); training goes on, and "
        "`topdb track` sends what is missing later.",
        file=sys.stderr,
    )
