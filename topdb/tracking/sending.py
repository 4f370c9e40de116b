"""Sending one finished run, its weights, or the reports of all, where MLflow lacks them."""

from collections.abc import Sequence
from pathlib import Path

from topdb.config import Params, Profile
from topdb.results.runs import runs
from topdb.tracking.attachments import digest_of, report_files
from topdb.tracking.invocation import (
    INVOCATION_TAG,
    ROLE_TAG,
    Invocation,
    latest,
    parent_of_open,
)
from topdb.tracking.library import LibraryStore
from topdb.tracking.record import FinishedRun
from topdb.tracking.store import PARENT_TAG, address
from topdb.tracking.tags import HISTORY_TAG, label, run_name

_IDENTITY_TAG = "topdb.identity"
_UPLOADED_TAG = "topdb.weights_uploaded"
_ATTACHED_TAG = "topdb.attached"


class Sender:
    """A store, and what it knew of a profile when it was opened."""

    def __init__(self, store: LibraryStore, experiment: str, profile: str, results: Path) -> None:
        self.store = store
        self._experiment = experiment
        self._profile = profile
        self._results = results
        self._tags: dict[str, dict[str, str]] = {}
        for run in store.tagged(experiment, {"profile": profile}):
            self._tags[run.info.run_id] = run.data.tags
        self._known = {
            tags[_IDENTITY_TAG]: run_id
            for run_id, tags in self._tags.items()
            if _IDENTITY_TAG in tags
        }
        self._open: tuple[Invocation, str] | None = None

    def send(self, run: FinishedRun) -> str:
        """Send a run unless it is known, and return its id.

        Its identity, which marks it as known, is set last: a run whose sending was cut off is sent
        again, and what was left of it goes to MLflow's bin.
        """
        identity = run.identity
        if identity in self._known:
            return self._known[identity]
        invocation, parent = self._parent()
        tags = {**run.tags, PARENT_TAG: parent, INVOCATION_TAG: invocation.identity}
        remains = self._attempts(run, invocation)
        run_id = self._told_live(run)
        points = run.scores
        if run_id is None:
            run_id = self.store.create(self._experiment, run_name(tags), tags, run.started)
            points = run.history + points
        self.store.log(run_id, points)
        self.store.describe(run_id, run.parameters, tags)
        self.store.end(run_id, "FINISHED", run.ended)
        self.store.tag(run_id, _IDENTITY_TAG, identity)
        self._known[identity] = run_id
        for remaining in remains:
            if remaining != run_id:
                self.store.delete(remaining)
        return run_id

    def send_weights(self, run: FinishedRun, run_id: str) -> None:
        """Upload a run's weights, unless they have been."""
        wanted = str(run.content["weights_digest"])
        if self._tags.get(run_id, {}).get(_UPLOADED_TAG) != wanted:
            self.store.attach(run_id, run.weights, "weights")
            self.store.tag(run_id, _UPLOADED_TAG, wanted)

    def send_attachments(
        self, profile: Profile, attached: Sequence[Path], reports: Path | None
    ) -> str | None:
        """Give the newest parent its description and files; return its id, None without one."""
        parent = self._open[1] if self._open else self._latest_parent()
        rendered = report_files(reports) if reports else []
        wanted = digest_of([*attached, *rendered])
        if parent is None or self._tags.get(parent, {}).get(_ATTACHED_TAG) == wanted:
            return parent
        for file in attached:
            self.store.attach(parent, file)
        for file in rendered:
            inside = file.relative_to(reports or file).parent.as_posix()
            self.store.attach(parent, file, "reports" if inside == "." else f"reports/{inside}")
        described = {
            "recipe": profile.recipe,
            "methods": ", ".join(profile.methods),
            "datasets": ", ".join(profile.datasets),
            "seeds": ", ".join(map(str, profile.seeds)),
            "runs": str(len(list(runs(profile)))),
            _ATTACHED_TAG: wanted,
        }
        self.store.describe(parent, {}, described)
        return parent

    def _parent(self) -> tuple[Invocation, str]:
        if self._open is None:
            self._open = parent_of_open(self.store, self._experiment, self._results, self._profile)
        return self._open

    def _latest_parent(self) -> str | None:
        invocation = latest(self._results)
        if invocation is None:
            return None
        return self.store.find(self._experiment, invocation.parent_tags)

    def _told_live(self, run: FinishedRun) -> str | None:
        """Return the id under which the run was told live, if all of its epochs arrived."""
        run_id = run.content.get("mlflow_run_id")
        arrived = self._tags.get(str(run_id), {}).get(HISTORY_TAG)
        return str(run_id) if arrived == str(len(run.epochs)) else None

    def _attempts(self, run: FinishedRun, invocation: Invocation) -> list[str]:
        """Return what was told of the run by this invocation, and never came to be whole."""
        return [
            run_id
            for run_id, tags in self._tags.items()
            if tags.get(INVOCATION_TAG) == invocation.identity
            and ROLE_TAG not in tags
            and _IDENTITY_TAG not in tags
            and label(tags) == label(run.tags)
        ]


def open_sender(params: Params, profile: str, results: Path) -> Sender:
    """Connect to the store and learn what it knows of a profile."""
    store = LibraryStore(address())
    return Sender(store, store.experiment(params.tracking.experiment), profile, results)
