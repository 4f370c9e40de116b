"""What a finished run sees of another data set than its own."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

from topdb.code import method_code
from topdb.config import HardwareSettings, method_files
from topdb.datasets.account import account
from topdb.datasets.index import Index, Pixels
from topdb.errors import UserError
from topdb.files import digest
from topdb.results.crossings import SOURCE, write_crossed
from topdb.results.records import read_record
from topdb.results.runs import RunFiles
from topdb.runs.environment import describe
from topdb.runs.extraction import Extraction, extract_run, on_device


def cross_run(
    folder: Path,
    index: Index,
    pixels: Pixels,
    out: Path,
    device: Literal["cpu", "cuda"] | None,
    method_folders: Sequence[Path] = (),
    trained_on: Index | None = None,
) -> Extraction:
    """Extract the features of another data set's query and gallery with a run's weights.

    Writes `features.npz`, then `run.json`, which says whose weights saw whose images.

    Parameters
    ----------
    folder : of the run, with `run.json` and `weights.safetensors`
    index, pixels : the other data set
    out : the folder to write into; `on/<its name>` in the run's, where the tables look for it
    device : where to compute; None for the device that the run states
    trained_on : the run's own data set, of whose training images none may be tested

    Raises
    ------
    UserError
        The run is broken or altered, the data set is the run's own or tests its training images,
        the folder holds another run, or there is no GPU where one is asked for.
    """
    known, files = read_record(RunFiles(folder).record), RunFiles(out)
    if index.name == known.dataset or index.digest == known.index_digest:
        raise UserError(
            f"{folder} was trained on {index.name}, where `topdb extract` tests it: name another "
            "data set."
        )
    if trained_on:
        if trained_on.digest != known.index_digest:
            raise UserError(
                f"{folder} was not trained on the {trained_on.name} that --trained-on names: name "
                "the index of its own images."
            )
        _require_unseen(trained_on, index)
    if files.record.is_file() and SOURCE not in read_record(files.record).content:
        raise UserError(f"{out} holds a run of its own: name another folder with --out.")
    files.record.unlink(missing_ok=True)  # what is there is of other features from here on
    done = extract_run(folder, index, pixels, files.features, device, method_folders)
    record = known.content
    file = method_files(method_folders)[known.method]
    settings = on_device(HardwareSettings.model_validate(record["hardware"]), device)
    content = {key: record.get(key) for key in ("profile", "method", "seed", "weights_digest")}
    content |= {key: record[key] for key in ("origin", "diverged") if key in record}
    content |= {
        "rendered": index.drawn,
        "data": account(index),
        "index_digest": index.digest,
        "features_digest": digest(files.features),
        "code": method_code(file, known.backbone),
        "environment": describe(settings.device, settings.threads, file),
        "seconds": {"extract": round(done.seconds, 3)},
        "images_per_second": {"extract": round(done.images / done.seconds, 1)},
    }
    write_crossed(files.record, content, str(known.dataset), index.name)
    return done


def _require_unseen(trained_on: Index, tested: Index) -> None:
    """Refuse a data set that tests images of another one's training: its scores are memory."""
    by_pixels = trained_on.pixels is not None and tested.pixels is not None

    def images(index: Index, splits: Collection[str]) -> dict[tuple[int, int, str], str]:
        sizes = index.widths.tolist(), index.heights.tolist()
        found = (index.pixels if by_pixels else None) or index.sha256s
        rows = zip(*sizes, found, index.splits, index.paths, strict=True)
        return {(w, h, each): path for w, h, each, split, path in rows if split in splits}

    seen, shown = images(trained_on, ("train",)), images(tested, ("query", "gallery"))
    both = [path for image, path in shown.items() if image in seen]
    if both:
        raise UserError(
            f"{len(both):,} test images of {tested.name} are training images of "
            f"{trained_on.name}, {both[0]} among them: what is scored there is memory, so leave "
            f"{tested.name} out of test_on.{trained_on.name}."
        )
