"""What `topdb train` does: prepare the process, train, and tell the tracker where that is live."""

from pathlib import Path

from topdb.datasets.index import read_index
from topdb.datasets.pixels import Pixels
from topdb.errors import UserError
from topdb.params import Params
from topdb.tracking import live_run, run_tags
from topdb.training.environment import prepare
from topdb.training.run import Run, train_run
from topdb.training.stopping import stopping


def train_and_track(
    params: Params,
    profile: str,
    dataset: str,
    method: str,
    seed: int,
    index_path: Path,
    pixels_path: Path,
    backbone: Path | None,
    folder: Path,
) -> None:
    """Train one run of the grid and write its files to `folder`.

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
    prepare(settings.training.device, settings.training.threads)
    run = Run(profile, dataset, method, seed)
    tags = run_tags(profile, dataset, method, seed)
    with stopping() as stop, live_run(params.tracking, tags) as tracked:
        train_run(
            run,
            settings,
            index,
            pixels,
            backbone,
            folder,
            on_epoch=lambda epoch: tracked.log_epoch(epoch.number, epoch.row()),
            tracked_as=tracked.run_id,
            stop=stop,
        )
