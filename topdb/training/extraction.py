"""Test features of a run that is already there, trained or imported."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from topdb.datasets.index import Index
from topdb.datasets.pixels import Pixels
from topdb.errors import UserError
from topdb.files import digest, read_json, write_json
from topdb.methods import build, find
from topdb.methods.contract import Method
from topdb.methods.contract.resolving import plain, resolved
from topdb.params import HardwareSettings, RecipeChanges, ScaleSettings
from topdb.training.environment import prepare
from topdb.training.features import write_features
from topdb.training.importing import on_device, require_identities
from topdb.training.run_files import RunFiles


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
    digest and speed. With `out`, any data set will do, and the run stays as it is.

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
    record = read_json(files.record)
    if out is None:
        _require_own_data(record, index, files)
    network, settings = _load(record, files, index, method_folders)
    settings = on_device(settings, device)
    prepare(settings.device, settings.threads)
    path = out or files.features
    started = time.perf_counter()
    images = write_features(path, network, index, pixels, settings)
    seconds = time.perf_counter() - started
    if out is None:
        record["dataset"] = index.name
        record["index_digest"] = index.digest
        record["features_digest"] = digest(path)
        record.setdefault("seconds", {})["extract"] = round(seconds, 3)
        record.setdefault("images_per_second", {})["extract"] = round(images / seconds, 1)
        write_json(files.record, record)
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
