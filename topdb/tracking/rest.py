"""MLflow's public REST API by the standard library, for trainings.

MLflow's own client costs each training a second of imports and 100 MB. This one costs a twentieth
of a second, waits for no answer longer than `SECONDS`, and tries nothing twice.
"""

import base64
import json
import os
import ssl
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

from topdb.tracking.store import Point, Status, conditions, now

SECONDS = 5.0
"""How long one answer may take."""

_BATCH = 1000
"""As many values as the API takes at once."""

_NEEDS_MLFLOWS_CLIENT = (
    "MLFLOW_TRACKING_AUTH",
    "MLFLOW_TRACKING_AWS_SIGV4",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_INSECURE_TLS",
    "MLFLOW_WORKSPACE",
)


def speaks(address: str) -> bool:
    """Whether this client can talk to a store: a server, with plain means to prove who we are."""
    credentials = Path("~/.mlflow/credentials").expanduser()
    return (
        address.startswith(("http://", "https://"))
        and not any(os.environ.get(name) for name in _NEEDS_MLFLOWS_CLIENT)
        and not credentials.is_file()
    )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: following it would take the credentials elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


class RestStore:
    """A tracking server. What fails raises at once: the caller decides what that means."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
        self._base = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self._headers = {
            "Content-Type": "application/json",
            **_authorization(parts.username, parts.password),
        }
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if parts.scheme == "https":
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
        self._opener = urllib.request.build_opener(*handlers)

    def experiment(self, name: str) -> str:
        """Return an experiment's id; it is created where it is not there."""
        query = urlencode({"experiment_name": name})
        try:
            found = self._call(f"experiments/get-by-name?{query}")
        except HTTPError as error:
            if error.code != 404:
                raise
            try:
                return str(self._call("experiments/create", {"name": name})["experiment_id"])
            except HTTPError as taken:
                if taken.code != 400:
                    raise
                found = self._call(f"experiments/get-by-name?{query}")
        return str(found["experiment"]["experiment_id"])

    def find(self, experiment: str, tags: Mapping[str, str]) -> str | None:
        """Return the id of the newest run that has these tags, or None."""
        wanted = {"experiment_ids": [experiment], "filter": conditions(tags), "max_results": 1}
        found = self._call("runs/search", wanted).get("runs", [])
        return str(found[0]["info"]["run_id"]) if found else None

    def create(self, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        """Start a run and return its id."""
        wanted = {
            "experiment_id": experiment,
            "run_name": name,
            "start_time": now(),
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        return str(self._call("runs/create", wanted)["run"]["info"]["run_id"])

    def log(self, run_id: str, points: Iterable[Point]) -> None:
        """Add values to a run."""
        metrics = [
            {
                "key": point.name,
                "value": point.value,
                "timestamp": point.milliseconds,
                "step": point.step,
            }
            for point in points
        ]
        for first in range(0, len(metrics), _BATCH):
            batch = metrics[first : first + _BATCH]
            self._call("runs/log-batch", {"run_id": run_id, "metrics": batch})

    def tag(self, run_id: str, name: str, value: str) -> None:
        """Set a tag of a run."""
        self._call("runs/set-tag", {"run_id": run_id, "key": name, "value": value})

    def end(self, run_id: str, status: Status) -> None:
        """End a run."""
        self._call("runs/update", {"run_id": run_id, "status": status, "end_time": now()})

    def _call(self, what: str, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self._base}/api/2.0/mlflow/{what}",
            data=json.dumps(content).encode() if content is not None else None,
            headers=self._headers,
        )
        with self._opener.open(request, timeout=SECONDS) as answer:
            return dict(json.load(answer))


def _authorization(user: str | None, password: str | None) -> dict[str, str]:
    """Return the header that proves who we are, by the same variables as MLflow's own client."""
    user = os.environ.get("MLFLOW_TRACKING_USERNAME") or (unquote(user) if user else None)
    password = os.environ.get("MLFLOW_TRACKING_PASSWORD") or unquote(password or "")
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    if user:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        return {"Authorization": f"Basic {pair}"}
    return {"Authorization": f"Bearer {token}"} if token else {}
