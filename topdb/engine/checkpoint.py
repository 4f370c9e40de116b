"""A training's checkpoints and the spare copy of a finished one."""

import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from topdb.errors import UserError
from topdb.files import digest, replacing, write_json
from topdb.results.runs import CHECKPOINTS, RUNNING, SPARE, RunFiles, keep


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write contiguous tensors of the CPU as safetensors.

    Raises
    ------
    OSError
        The system does not let it, as where the disk is full.
    """
    try:
        save_file(dict(tensors), path, metadata=dict(metadata) if metadata else None)
    except SafetensorError as error:
        found = re.search(r"os error (\d+)", str(error))
        if not found:
            raise
        number = int(found[1])
        raise OSError(number, os.strerror(number), str(path)) from None


_KEPT = 2
_SHOWN = 12
"""Digits of the identity's digest that name the folder."""


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint as it was read."""

    tensors: dict[str, Tensor]
    content: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run.

    Parameters
    ----------
    folder : of the run; they lie below it
    identity : all that decides on a bit of the run, as plain data
    every_seconds : how often one is due
    device : what the processor or GPU calls itself
    """

    def __init__(
        self, folder: Path, identity: Mapping[str, Any], every_seconds: float, device: str
    ) -> None:
        self._all = folder / CHECKPOINTS
        self._identity = json.loads(json.dumps(identity))
        self._folder = self._all / plain_digest(self._identity)[:_SHOWN]
        self._spare = self.spare(folder, self._identity)
        self._every_seconds = every_seconds
        self._device = device
        self._resumed: list[dict[str, str]] = []
        self._began = self._last = time.monotonic()

    @staticmethod
    def spare(folder: Path, identity: Mapping[str, Any]) -> Path:
        """Return where a run's spare lies."""
        return folder / CHECKPOINTS / f"{plain_digest(identity)[:_SHOWN]}{SPARE}"

    @staticmethod
    def history(folder: Path, identity: Mapping[str, Any]) -> Path:
        """Return where a run's epochs stand while it trains."""
        return folder / CHECKPOINTS / f"{plain_digest(identity)[:_SHOWN]}{RUNNING}"

    def due(self, last: bool) -> bool:
        """Whether one should be written now.

        That is so once the one before, or the start, is longer ago than the parameters allow; and
        at the end of a training (`last`) that was longer than that, since features follow.
        """
        since = self._began if last else self._last
        return time.monotonic() - since >= self._every_seconds

    @property
    def resumed(self) -> list[dict[str, str]]:
        """The checkpoints that were taken up so far, with the device that wrote each."""
        return list(self._resumed)

    def save(self, name: str, tensors: dict[str, Tensor], content: Mapping[str, Any]) -> None:
        """Write one; the ones before it stay until it is whole, then the two newest are kept.

        Parameters
        ----------
        name : of the position; names sort by it
        tensors : contiguous, on the CPU
        content : plain data

        Raises
        ------
        UserError
            It cannot be written, as where the disk is full; the ones before it are as they were.
        """
        path = self._folder / f"{name}.safetensors"
        try:
            with replacing(path) as partial:
                save_file(tensors, partial)
            described = {
                **content,
                "identity": self._identity,
                "device": self._device,
                "resumed": self._resumed,
                "tensors_sha256": digest(path),
            }
            write_json(path.with_suffix(".json"), described | {"sha256": plain_digest(described)})
        except (OSError, SafetensorError) as error:
            path.unlink(missing_ok=True)
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            raise UserError(
                f"the checkpoint {path} cannot be written ({reason}): make room and run the same "
                "command again; it goes on from the checkpoint before."
            ) from None
        self._tidy()
        self._last = time.monotonic()

    def take_up(self) -> Checkpoint | None:
        """Return the newest whole checkpoint of this run, or None; remove any other, and warn.

        Raises
        ------
        UserError
            One is there and the system does not let it be read: that says nothing about what it
            holds, and it stays.
        """
        for name in self._names():
            checkpoint = self._read(name)
            if checkpoint:
                written_on = checkpoint.content["device"]
                self._resumed = [
                    *checkpoint.content["resumed"],
                    {"from": name, "device": written_on},
                ]
                if written_on != self._device:
                    _warn(
                        f"the checkpoint {name} was written on {written_on}, and this is "
                        f"{self._device}, which may round otherwise: run.json names both."
                    )
                return checkpoint
            _warn(
                f"the checkpoint {self._folder / name} is cut short or altered (its digest is "
                "another): the one before it is used, if there is one."
            )
            (self._folder / f"{name}.json").unlink(missing_ok=True)
        self._tell_of_others()
        return None

    def companion(self, name: str) -> Path:
        """Return where a file may lie that goes on with the training, and goes with its end."""
        return self._all / f"{self._folder.name}-{name}"

    def finish(self, files: RunFiles, spare: bool = False) -> None:
        """Remove all checkpoints below the run's folder, those of other parameters too.

        Where there were some of this run, or with `spare`, a spare of its files, which are whole,
        takes their place.
        """
        shutil.rmtree(self._spare, ignore_errors=True)
        if spare or self._names():
            keep(files, self._spare)
        if not self._spare.is_dir():
            shutil.rmtree(self._all, ignore_errors=True)
            return
        for path in self._all.iterdir():
            if path.is_file():
                path.unlink(missing_ok=True)
            elif path != self._spare:
                shutil.rmtree(path, ignore_errors=True)

    def _names(self) -> list[str]:
        # Path.glob would take a folder that cannot be read for an empty one.
        try:
            found = list(self._folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(self._folder, error) from None
        return sorted((path.stem for path in found if path.suffix == ".json"), reverse=True)

    def _read(self, name: str) -> Checkpoint | None:
        path = self._folder / f"{name}.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            own = content.pop("sha256")
            tensors_path = path.with_suffix(".safetensors")
            whole = own == plain_digest(content) and content["tensors_sha256"] == digest(
                tensors_path
            )
            return Checkpoint(load_file(tensors_path), content) if whole else None
        except (
            FileNotFoundError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            SafetensorError,
        ):
            return None
        except OSError as error:
            raise _unreadable(Path(error.filename or path), error) from None

    def _tidy(self) -> None:
        """Remove all but the newest: older pairs, halves of one, and what a killed writer left."""
        kept = self._names()[:_KEPT]
        # JSON files sort before the tensors they refer to: no pair ever lacks its tensors.
        for path in sorted(self._folder.iterdir()):
            if path.name.partition(".")[0] not in kept:
                path.unlink(missing_ok=True)

    def _tell_of_others(self) -> None:
        """Say what the checkpoints of another run in the same place differ in."""
        found = sorted(self._all.glob("*/*.json"))
        for path in [path for path in found if not path.parent.name.endswith(SPARE)][-1:]:
            try:
                other = json.loads(path.read_text(encoding="utf-8"))["identity"]
                differing = ", ".join(differences(self._identity, other))
            except (OSError, ValueError, KeyError, TypeError):
                differing = "unreadable"
            _warn(
                f"{path.parent} holds checkpoints of another run ({differing}): they are left "
                "alone, and training starts afresh."
            )


def differences(one: Any, other: Any, key: str = "") -> list[str]:
    """Return the dotted keys in which two plain mappings differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            found
            for name in sorted(one.keys() | other.keys())
            for found in differences(
                one.get(name), other.get(name), f"{key}.{name}" if key else str(name)
            )
        ]
    return [] if one == other else [key]


def plain_digest(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain data, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"the checkpoint {path} cannot be read ({error.strerror or error}) and is kept: see to its "
        "disk and run the same command again, or delete it to do without."
    )


def _warn(message: str) -> None:
    print(f"topdb: warning: {message}", file=sys.stderr)
