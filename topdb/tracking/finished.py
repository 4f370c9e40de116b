"""Telling MLflow about finished runs, each once: what `topdb track` does."""

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from topdb.config import Params
from topdb.errors import UserError
from topdb.files import write_json
from topdb.results.runs import runs
from topdb.tracking.invocation import close, latest, telling
from topdb.tracking.library import load_library
from topdb.tracking.patience import within
from topdb.tracking.record import FinishedRun, finished_run
from topdb.tracking.sending import Sender, open_sender
from topdb.tracking.store import address, public_address, reason
from topdb.tracking.tags import label

CONNECT_SECONDS = 25.0
RUN_SECONDS = 20.0
"""How long telling about one run may take; the first that takes longer ends the attempt."""
UPLOAD_SECONDS = 600.0
"""How long weights or reports may take, which are large, and told only on request."""


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
    command again sends just these. Returns a sentence for the person who ran it.

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
    if params.tracking.mode == "off":
        raise UserError("tracking.mode is off in params.yaml: set it to live or after.")
    chosen = params.selected(profile)
    planned = list(runs(chosen))
    found = (finished_run(run, profile, chosen, results) for run in planned)
    grid = [run for run in found if run]
    told: dict[str, str] = {}
    parent: str | None = None
    failure: Exception | None = None
    try:
        load_library(address())
        with telling(results):
            sender = within(CONNECT_SECONDS, partial(open_sender, params, profile, results))
            for run, run_id in _told(sender, grid, params.tracking.upload_weights):
                told[label(run.tags)] = run_id
            parent = within(
                UPLOAD_SECONDS, partial(sender.send_attachments, chosen, attached, reports)
            )
            invocation = latest(results)
            if parent and invocation and invocation.is_open and len(told) == len(planned):
                within(RUN_SECONDS, partial(sender.store.end, parent, "FINISHED"))
                close(results, invocation)
    except UserError:
        raise
    except Exception as error:  # whatever the store raises, the results are complete
        failure = error
        print(f"topdb: MLflow is out of reach ({reason(error)}).", file=sys.stderr)
    missing = [label(run.tags) for run in grid if label(run.tags) not in told]
    content = {"store": public_address(), "parent": parent, "tracked": told, "missing": missing}
    write_json(receipt, content)
    if failure:
        what = f"{len(missing)} of {len(grid)} runs" if missing else "the reports"
        return (
            f"MLflow could not be told about {what} ({type(failure).__name__}): their files are "
            "complete; run `topdb track` again when it is back."
        )
    return f"MLflow knows all {len(grid)} finished runs ({public_address()})."


def _told(
    sender: Sender, grid: Sequence[FinishedRun], upload_weights: bool
) -> Iterator[tuple[FinishedRun, str]]:
    """Yield each run when MLflow knows it, and its id there."""
    for run in grid:
        run_id = within(RUN_SECONDS, partial(sender.send, run))
        if upload_weights:
            within(UPLOAD_SECONDS, partial(sender.send_weights, run, run_id))
        yield run, run_id
