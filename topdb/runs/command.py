"""What `topdb train` does: prepare the process, and train one run after the other."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

from topdb.config import Params
from topdb.datasets.index import Pixels, read_index
from topdb.engine.progress import stopping
from topdb.errors import StoppedError, UserError
from topdb.runs.environment import prepare
from topdb.runs.train import Run, train_run


def train_runs(
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
            with said_to(logs[place] if logs else None):
                train_run(
                    run,
                    settings,
                    index,
                    pixels,
                    backbone,
                    folder,
                    stop=stop,
                    method_folders=params.method_folders,
                    keep_spare=len(seeds) > 1,
                )


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
