"""Telling MLflow about finished runs, each once: what `topdb track` does.

Runs belong to an invocation: the children of one parent run in MLflow. It lasts from the first run
that is told until all runs of the profile are, so that a workflow that is interrupted and goes on
next week is still the same one. Its id lies beside the results, so that runs of one clone are never
taken for those of another that uses the same server.
"""

import fcntl
import hashlib
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from topdb.config import Params, Profile
from topdb.errors import UserError
from topdb.files import digest, write_json
from topdb.results.runs import runs
from topdb.results.seals import read_sealed_json, write_sealed_json
from topdb.secrets import redacted
from topdb.tracking.record import EVERY, FinishedRun, Rows, finished_run, label, points_of
from topdb.tracking.store import Store, Told, address, load_library, now, reason, within

CONNECT_SECONDS = 25.0
RUN_SECONDS = 20.0
"""How long telling about one run may take; the first that takes longer ends the attempt."""
UPLOAD_SECONDS = 600.0
"""How long weights or reports may take, which are large, and told only on request."""

PARENT_TAG = "mlflow.parentRunId"
"""By this tag MLflow shows a run below another."""
INVOCATION_TAG = "topdb.invocation"
ROLE_TAG = "topdb.role"
TRAINING_TAG = "topdb.training"
"""Which training of the run it is: one with other parameters, data or code is another."""
IDENTITY_TAG = "topdb.identity"
"""Set last: a run that has it is told whole."""
_UPLOADED_TAG = "topdb.weights_uploaded"
_ATTACHED_TAG = "topdb.attached"
_NOT_OURS = frozenset({"published", "reference"})
"""Folders of reports/ that hold what results are compared with."""


def track_finished(
    params: Params,
    profile: str,
    results: Path,
    receipt: Path,
    attached: Sequence[Path] = (),
    reports: Path | None = None,
) -> str:
    """Tell MLflow about every finished run that it does not know, and write a receipt.

    The receipt lists the MLflow id of each run, and those that could not be told; running the
    command again sends just these. What was begun and is not finished is closed as failed. Returns
    a sentence for the person who ran it.

    Parameters
    ----------
    params, profile, results : which runs, and where their files lie
    receipt : file to write
    attached : files that the parent run keeps, such as `params.yaml`
    reports : folder of rendered reports, which the parent run keeps too

    Raises
    ------
    UserError
        Tracking is off in the parameters, or a run's files are broken.
    """
    require_on(params)
    chosen = params.selected(profile)
    planned = list(runs(chosen))
    found = (finished_run(run, profile, chosen, results) for run in planned)
    grid = [run for run in found if run]
    told: dict[str, str] = {}
    parent: Told | None = None
    failure: Exception | None = None
    try:
        load_library()
        with alone(results):
            tracker = within(CONNECT_SECONDS, lambda: Tracker(params, profile, results).learn())
            for run in grid:
                sent = within(RUN_SECONDS, partial(tracker.send, run))
                if params.tracking.upload_weights:
                    within(UPLOAD_SECONDS, partial(tracker.send_weights, run, sent))
                told[label(run.tags)] = sent.identity
            within(RUN_SECONDS, tracker.close_unfinished)
            attach = partial(tracker.send_attachments, chosen, attached, reports)
            parent = within(UPLOAD_SECONDS, attach)
            if parent and len(told) == len(planned):
                within(RUN_SECONDS, partial(tracker.close_invocation, parent))
    except UserError:
        raise
    except Exception as error:  # whatever the store raises, the results are complete
        failure = error
        print(f"topdb: MLflow is out of reach ({reason(error)}).", file=sys.stderr)
    missing = [label(run.tags) for run in grid if label(run.tags) not in told]
    store = redacted(address())
    named = parent.identity if parent else None
    write_json(receipt, {"store": store, "parent": named, "tracked": told, "missing": missing})
    if failure:
        what = f"{len(missing)} of {len(grid)} runs" if missing else "the reports"
        return (
            f"MLflow could not be told about {what} ({type(failure).__name__}): their files are "
            "complete; run `topdb track` again when it is back."
        )
    return f"MLflow knows all {len(grid)} finished runs ({store})."


def require_on(params: Params) -> None:
    """Raise a UserError where tracking is off."""
    if params.tracking.mode == "off":
        raise UserError("tracking.mode is off in params.yaml: set it to live or after.")


@contextmanager
def alone(results: Path, wait: bool = True) -> Iterator[None]:
    """Hold the right to tell of a profile's runs; a BlockingIOError where it is not waited for."""
    results.mkdir(parents=True, exist_ok=True)
    with (results / ".track.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


class Tracker:
    """A profile's runs in MLflow; for whoever is `alone` with them."""

    def __init__(self, params: Params, profile: str, results: Path) -> None:
        self.store = Store()
        self.experiment = self.store.experiment(params.tracking.experiment)
        self._profile = profile
        self._file = results / "invocation.json"
        self._known: dict[str, Told] = {}
        self._whole: dict[str, Told] = {}
        self._belonging: dict[str, str] = {}

    def learn(self) -> "Tracker":
        """Ask what MLflow knows of the profile, once for all runs that are sent; return itself."""
        for told in self.store.runs(self.experiment, {"profile": self._profile}):
            self._known[told.identity] = told
            if IDENTITY_TAG in told.tags:
                self._whole[told.tags[IDENTITY_TAG]] = told
        return self

    def invocation(self) -> tuple[str, bool]:
        """Return the id of the one that was told last, "none" before, and whether it is open."""
        try:
            content = read_sealed_json(self._file, None, "delete it.")
            return str(content["id"]), bool(content["open"])
        except (UserError, KeyError):
            return "none", False

    def parent(self) -> Told | None:
        """Return the parent run of the last invocation, where there is one."""
        return self.find({INVOCATION_TAG: self.invocation()[0], ROLE_TAG: "parent"})

    def find(self, tags: Mapping[str, str]) -> Told | None:
        """Return the newest run that has these tags."""
        return next(self.store.runs(self.experiment, tags), None)

    def belonging(self) -> dict[str, str]:
        """Return the tags of a run of the open invocation, which begins where none is open."""
        identity, is_open = self.invocation()
        if not is_open:
            identity = uuid.uuid4().hex
            write_sealed_json(self._file, {"id": identity, "open": True})
        parent = self.parent()
        if parent is None:
            tags = {"profile": self._profile, INVOCATION_TAG: identity, ROLE_TAG: "parent"}
            parent = self.store.create(self.experiment, f"profile {self._profile}", tags, now())
        return {PARENT_TAG: parent.identity, INVOCATION_TAG: identity}

    def close_invocation(self, parent: Told) -> None:
        """End an invocation all of whose runs are told: the next run begins another."""
        identity, is_open = self.invocation()
        if is_open:
            self.store.ask("set_terminated", parent.identity, "FINISHED")
            write_sealed_json(self._file, {"id": identity, "open": False})

    def create(self, tags: Mapping[str, str], started: int) -> Told:
        """Start a run of the grid."""
        name = f"{tags['method']} on {tags['dataset']}, seed {tags['seed']}"
        return self.store.create(self.experiment, name, tags, started)

    def agrees(self, told: Told, rows: Rows) -> bool:
        """Whether what has arrived of a run's history is what these rows say."""
        arrived = self.store.values(told, EVERY)
        return all(arrived.get(int(row["epoch"]), row[EVERY]) == row[EVERY] for row in rows)

    def send_epochs(self, told: Told, rows: Rows, ended: int) -> None:
        """Send what has not arrived of a history, whose last epoch ended then."""
        arrived = self.store.values(told, EVERY)
        points = points_of(rows, ended)
        self.store.log(told, (point for point in points if point.epoch not in arrived))

    def send(self, run: FinishedRun) -> Told:
        """Send a run unless it is known.

        What has arrived of its training is not sent again. What marks the run as known is set last:
        one whose sending was cut off is gone on with. Other attempts at the run, such as a training
        that was killed before its parameters changed, go to MLflow's bin.
        """
        if run.identity in self._whole:
            return self._whole[run.identity]
        self._belonging = self._belonging or self.belonging()
        tags = {**run.tags, **self._belonging}
        if run.training:
            tags[TRAINING_TAG] = run.training
        attempts = [told for told in self._unfinished() if label(told.tags) == label(tags)]
        told = self._begun(run, attempts) or self.create(tags, run.started)
        self.send_epochs(told, run.rows, run.ended)
        self.store.log(told, run.scores)
        self.store.describe(told, tags, run.parameters)
        self.store.ask("set_terminated", told.identity, "FINISHED", run.ended)
        self.store.ask("set_tag", told.identity, IDENTITY_TAG, run.identity)
        self._whole[run.identity] = told
        for attempt in attempts:
            del self._known[attempt.identity]
            if attempt != told:
                self.store.ask("delete_run", attempt.identity)
        return told

    def _begun(self, run: FinishedRun, attempts: Sequence[Told]) -> Told | None:
        """Return what was begun of the same training, and agrees with what it came to."""
        found = [told for told in attempts if told.tags.get(TRAINING_TAG, "") == run.training]
        # Trainings told MLflow themselves once, and their records name the run.
        named = self._known.get(str(run.record.content.get("mlflow_run_id")))
        found += [named] if named else []
        return next((told for told in found if self.agrees(told, run.rows)), None)

    def _unfinished(self) -> list[Told]:
        """Return what was told of the last invocation's runs, and never came to be whole."""
        invocation, _ = self.invocation()
        return [
            told
            for told in self._known.values()
            if told.tags.get(INVOCATION_TAG) == invocation
            and not {ROLE_TAG, IDENTITY_TAG} & told.tags.keys()
        ]

    def close_unfinished(self) -> None:
        """End what was begun and is not finished: a killed process left it running."""
        for told in self._unfinished():
            if told.status == "RUNNING":
                self.store.ask("set_terminated", told.identity, "FAILED")

    def send_weights(self, run: FinishedRun, told: Told) -> None:
        """Upload a run's weights, unless they have been."""
        wanted = str(run.record.weights_digest)
        if told.tags.get(_UPLOADED_TAG) != wanted:
            self.store.ask("log_artifact", told.identity, str(run.files.weights), "weights")
            self.store.ask("set_tag", told.identity, _UPLOADED_TAG, wanted)

    def send_attachments(
        self, profile: Profile, attached: Sequence[Path], reports: Path | None
    ) -> Told | None:
        """Give the newest parent its description and files; return it, None without one."""
        parent = self.parent()
        rendered = sorted(_rendered(reports)) if reports else []
        wanted = _digest_of([*attached, *rendered])
        if parent is None or parent.tags.get(_ATTACHED_TAG) == wanted:
            return parent
        for file in attached:
            self.store.ask("log_artifact", parent.identity, str(file))
        for file in rendered:
            place = Path("reports", file.relative_to(reports or file).parent).as_posix()
            self.store.ask("log_artifact", parent.identity, str(file), place)
        described = {
            "recipe": profile.recipe,
            "methods": ", ".join(profile.methods),
            "datasets": ", ".join(profile.datasets),
            "seeds": ", ".join(map(str, profile.seeds)),
            "runs": str(len(list(runs(profile)))),
            _ATTACHED_TAG: wanted,
        }
        self.store.describe(parent, described, {})
        return parent


def _rendered(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder of reports: tables, figures, page, metrics, data of plots."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_symlink() or path.name.startswith(".") or path.name in _NOT_OURS:
            continue
        if path.is_dir():
            yield from _rendered(path)
        elif path.is_file():
            yield path


def _digest_of(files: Sequence[Path]) -> str:
    """Return a digest of files' names and contents, by which an upload is known."""
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.as_posix()}\0{digest(file)}\n".encode())
    return found.hexdigest()
