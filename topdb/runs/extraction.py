"""Test features: of a network, and of a run that is there."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from topdb.code import method_code
from topdb.config import HardwareSettings, RecipeChanges, ScaleSettings, method_files
from topdb.datasets.account import account
from topdb.datasets.index import Index, Pixels
from topdb.engine.batches import Placement, loaded, precision, resized
from topdb.errors import UserError
from topdb.files import digest
from topdb.methods import build, find
from topdb.methods.contract import Method
from topdb.methods.contract.resolving import plain, resolved
from topdb.methods.parts.augmentation import normalise
from topdb.results.features import Features, write_features
from topdb.results.records import Diverged, read_record, write_record
from topdb.results.runs import RunFiles
from topdb.runs.environment import describe, has_gpu, prepare


def extract(network: Method, images: Tensor, settings: HardwareSettings) -> NDArray[np.float32]:
    """Embed images (N, 3, height, width) uint8; return (N, D) or (N, parts, D).

    One forward pass a batch.
    """
    batches = map(Placement.of(settings).pinned, torch.split(images, settings.extraction_batch))
    return _embed(network, batches, settings)


def extract_rows(
    network: Method,
    pixels: Pixels,
    rows: NDArray[np.int64],
    settings: HardwareSettings,
) -> NDArray[np.float32]:
    """Embed the images of some rows (N,) of the index; return (N, D) or (N, parts, D).

    Images are resized a batch at a time: a gallery of 82,000 would take 12 GB at full size.
    """
    place = Placement.of(settings)
    starts = range(0, len(rows), settings.extraction_batch)

    def load(start: int) -> Tensor:
        chunk = rows[start : start + settings.extraction_batch]
        return place.pinned(
            resized(pixels, chunk, network.recipe.size, network.recipe.interpolation)
        )

    return _embed(network, loaded(starts, load, settings.workers), settings)


def _embed(
    network: Method, batches: Iterable[Tensor], settings: HardwareSettings
) -> NDArray[np.float32]:
    place = Placement.of(settings)
    place.network(network)
    network.eval()
    with precision(settings), torch.inference_mode():
        embedded = [
            network.embed(place.images(normalise(place.tensor(batch)))).cpu() for batch in batches
        ]
    features: NDArray[np.float32] = torch.cat(embedded).float().numpy()
    return features


def extract_features(
    path: Path,
    network: Method,
    index: Index,
    pixels: Pixels,
    settings: HardwareSettings,
    diverged: Diverged | None = None,
) -> int:
    """Write `features.npz` of the index's query and gallery; return the number of images.

    A diverged network's features may be no numbers, or too long to be compared. Then all are
    written as zeros: it tells nobody apart, and its evaluation says so.
    """
    arrays: dict[str, Any] = {}
    for split in ("query", "gallery"):
        part = index.split(split)
        arrays[f"{split}_features"] = extract_rows(network, pixels, part.rows, settings)
        arrays[f"{split}_pids"] = part.pids
        arrays[f"{split}_camids"] = part.camids
        arrays[f"{split}_paths"] = np.array(part.paths)
    names = ("query_features", "gallery_features")
    if diverged and not comparable(*(arrays[name] for name in names)):
        arrays |= {name: np.zeros_like(arrays[name]) for name in names}
    write_features(path, Features(**arrays))
    return len(arrays["query_pids"]) + len(arrays["gallery_pids"])


def comparable(*features: NDArray[np.float32]) -> bool:
    """Whether distances between features are numbers."""
    from topdb.retrieval.checks import checked_features  # here: most runs save numba's import

    try:
        for each in features:
            checked_features("features", each)
    except ValueError:
        return False
    return True


def on_device(
    settings: HardwareSettings, device: Literal["cpu", "cuda"] | None
) -> HardwareSettings:
    """Return the settings with another device, where one is named.

    Raises
    ------
    UserError
        None is named, the settings' own is a GPU, and there is none here.
    """
    if device is None and settings.device == "cuda" and not has_gpu():
        raise UserError(
            "features are to be extracted on cuda, and torch finds no GPU here: name --device cpu."
        )
    return settings.model_copy(update={"device": device or settings.device})


def require_identities(identities: int, index: Index, weights: Path) -> None:
    """Raise a UserError where an index trains on another number of people than weights know."""
    people = index.split("train").counts.people
    if people != identities:
        raise UserError(
            f"{weights} tells {identities} people apart, and the training split of {index.name} "
            f"shows {people}: name the data set that it was trained on."
        )


@dataclass(frozen=True)
class Extraction:
    """What an extraction wrote."""

    path: Path
    images: int
    seconds: float


def extract_run(
    folder: Path,
    index: Index,
    pixels: Pixels,
    out: Path | None,
    device: Literal["cpu", "cuda"] | None,
    method_folders: Sequence[Path] = (),
) -> Extraction:
    """Extract the test features of a run's query and gallery, one forward pass a batch.

    Into the run's own folder go features of its own data set, and `run.json` then states their
    digest and speed, and the code and machine that they come from. With `out`, any data set will
    do, and the run stays as it is.

    Parameters
    ----------
    folder : of the run, with `run.json` and `weights.safetensors`
    index, pixels : the data set
    out : the features.npz to write; None for the run's own
    device : where to compute; None for the device that the run states
    method_folders : where methods lie beside the package's own

    Raises
    ------
    UserError
        The run is broken or altered, the index is of another data set than the run's own and
        there is no `out`, or there is no GPU where one is asked for.
    """
    files = RunFiles(folder)
    known = read_record(files.record)
    record = dict(known.content)
    if out is None:
        _require_own_data(record, index, files)
    network, settings = _load(record, files, index, method_folders)
    settings = on_device(settings, device)
    prepare(settings.device, settings.threads)
    path = out or files.features
    started = time.perf_counter()
    file = method_files(method_folders)[str(record["method"])]
    surroundings = describe(settings.device, settings.threads, file)
    images = extract_features(path, network, index, pixels, settings, known.diverged)
    seconds = time.perf_counter() - started
    if out is None:
        record["dataset"] = index.name
        record["index_digest"] = index.digest
        record["data"] = account(index)
        record["rendered"] = index.drawn or bool(record.get("rendered"))
        record["features_digest"] = digest(path)
        scale = ScaleSettings.model_validate(record["scale"])
        code = method_code(file, scale.backbone(network.backbone_name))
        record["extraction"] = {"code": code, "environment": surroundings}
        record.setdefault("seconds", {})["extract"] = round(seconds, 3)
        record.setdefault("images_per_second", {})["extract"] = round(images / seconds, 1)
        write_record(files.record, record)
    return Extraction(path, images, seconds)


def _require_own_data(record: dict[str, Any], index: Index, files: RunFiles) -> None:
    """Refuse an index that is not the run's; an imported run may not have met its data yet."""
    own = record.get("index_digest")
    if own not in (None, index.digest) or record.get("dataset") not in (None, index.name):
        raise UserError(
            f"{files.record} is of {record['dataset']}, digest {str(own)[:16]}, and the index of "
            f"{index.name}, digest {index.digest[:16]}: name a file with --out, so that the run "
            "keeps the features of its own data."
        )


def _load(
    record: dict[str, Any], files: RunFiles, index: Index, method_folders: Sequence[Path]
) -> tuple[Method, HardwareSettings]:
    """Build the method that `run.json` describes, and load its weights."""
    try:
        scale = ScaleSettings.model_validate(record["scale"])
        changes = [RecipeChanges.model_validate(each) for each in record["changed"]]
        settings = HardwareSettings.model_validate(record["hardware"])
        name, stated, expected = record["method"], record["recipe"], record["weights_digest"]
        side = stated["side"]
    except (KeyError, TypeError, ValidationError) as error:
        if isinstance(error, ValidationError):
            reason: object = error.errors()[0]["loc"]
        else:
            reason = error.args[0] if error.args else "something"
        raise UserError(
            f"{files.record} does not describe a run ({reason} is missing or wrong): make the run "
            "again."
        ) from None
    method = find(str(name), method_folders)
    recipe = resolved(method, name, side, scale, changes)
    today = json.loads(json.dumps(plain(recipe)))
    for key in ("size", "interpolation", "options"):
        if today[key] != stated.get(key):
            raise UserError(
                f"{files.record} states another {key} than the method {name} has today: make the "
                "run again, or extract its features with the code that trained it."
            )
    try:
        if digest(files.weights) != expected:
            raise UserError(
                f"{files.weights} is not the file that run.json states the digest of: make the "
                "run again."
            )
        weights = load_file(files.weights)
        identities = record.get("identities") or index.split("train").counts.people
        network = build(method, recipe, identities, scale)
        network.load_state_dict(weights)
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{files.weights} does not fit the network of run.json ({reason}): make the run again."
        ) from None
    if record.get("index_digest") is None:
        require_identities(identities, index, files.weights)
    return network, settings
