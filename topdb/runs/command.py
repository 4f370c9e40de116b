"""What `topdb train` does: prepare the process, train, and tell the tracker where that is live."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

from topdb.config import Params
from topdb.datasets.index import Pixels, read_index
from topdb.engine.progress import stopping
from topdb.engine.state import Epoch
from topdb.errors import StoppedError, UserError
from topdb.runs.environment import prepare
from topdb.runs.train import Run, train_run
from topdb.tracking import LiveRun, live_run, run_tags


def train_and_track(
    params: Params,
    profile: str,
    dataset: str,
    method: str,
    seeds: Sequence[int],
    index_path: Path,
    pixels_path: Path,
    backbone: Path | None,
    folders: Sequence[Path],
    logs: Sequence[Path] = (),
) -> None:
    """Train runs of one method on one data set, one after the other, into a folder each.

    A run that is whole already is left alone, so that a kill loses none that was finished. With
    `logs`, what each run says on standard error goes to its own file.

    Raises
    ------
    UserError
        A file is missing or broken, people are too few, a loss is no finite number, a checkpoint
        cannot be written, or another process trains the same run.
    StoppedError
        SIGTERM or SIGINT came; what can be taken up later is saved.
    """
    settings = params.selected(profile)
    index = read_index(index_path)
    if index.name != dataset:
        raise UserError(
            f"{index_path} is the index of {index.name}, not of {dataset}: name the right one."
        )
    pixels = Pixels.open(pixels_path, index)
    prepare(settings.hardware.device, settings.hardware.threads)
    with stopping() as stop:
        for place, (seed, folder) in enumerate(zip(seeds, folders, strict=True)):
            run = Run(profile, dataset, method, seed)
            tags = run_tags(profile, dataset, method, seed)
            with (
                said_to(logs[place] if logs else None),
                live_run(params.tracking, tags) as tracked,
            ):
                train_run(
                    run,
                    settings,
                    index,
                    pixels,
                    backbone,
                    folder,
                    on_epoch=_teller(tracked),
                    tracked_as=tracked.run_id,
                    stop=stop,
                    method_folders=params.method_folders,
                    keep_spare=len(seeds) > 1,
                )


def _teller(tracked: LiveRun) -> Callable[[Epoch], None]:
    """Return what tells a live run of an epoch."""
    return lambda epoch: tracked.log_epoch(epoch.number, epoch.row())


@contextmanager
def said_to(log: Path | None) -> Iterator[None]:
    """Send standard error to a file; an error, whose sentence comes later, is written to it too."""
    if log is None:
        yield
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream, redirect_stderr(stream):
        try:
            yield
        except (UserError, StoppedError) as error:
            print(f"topdb: {error}", file=stream)
            raise
