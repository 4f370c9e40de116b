"""What a profile runs, as plain data for the workflow, checked before anything starts."""

import ast
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from topdb.code import code_digest, importing_code, method_code, pretraining_code
from topdb.config import (
    DatasetSettings,
    HardwareSettings,
    ImagenetSettings,
    Params,
    PretrainingSettings,
    Profile,
    declared,
    dropped_in,
    method_files,
)
from topdb.config.papers import concerning, measured, read_papers
from topdb.config.variables import deciding
from topdb.datasets.records import MARKER
from topdb.errors import UserError
from topdb.fingerprint import fingerprint
from topdb.kinds import CHECKPOINTS, refuse_other
from topdb.results.kept import kept_digest
from topdb.results.planned import read_planned

_ROOMS = (
    "datasets",
    "drawn",
    "evidence",
    "examples.py",
    "formats",
    "kinds.py",
    "litter.py",
    "metrics",
    "reporting",
    "results",
    "retrieval",
    "statistics",
)
_WHOLE = (*_ROOMS, "commands", "config", "errors.py", "files.py", "limits.py", "parquet.py")
"""Those of steps that read parameters and papers themselves, and cost little to make again."""
_SOURCES = {
    "render": (("drawn", "datasets/layouts"), _ROOMS),
    "index": (("datasets",), _ROOMS),
    "evaluate": (("runs/evaluate.py", "formats", "metrics"), _ROOMS),
    "examples": (("commands/examples.py",), _WHOLE),
    "compare": (("commands/judge.py", "metrics"), _WHOLE),
    "report": (("commands/report.py", "commands/figure.py", "reporting", "metrics"), _WHOLE),
    "bundle": (("commands/bundle.py",), _WHOLE),
    "reference": (("commands/reference.py", "metrics"), _WHOLE),
}
"""Where the code of each step begins, and the rooms in which it is followed; results of other code
are not kept for its own."""


_TOLD = ("CATEGORY", "NEEDS", "FILES")
"""What a figure's file says of it in literals (`topdb.reporting.figures`)."""


def plan(params: Params, name: str | None) -> dict[str, Any]:
    """Return the profile's lists, and every parameter by the step that uses it.

    Each step's parameters are a whole, so that the workflow reruns just the steps whose
    parameters changed.

    Raises
    ------
    UserError
        There is no such profile, or a real data set's folder or a file of weights is missing.
    """
    profile = params.selected(name)
    for dataset, settings in profile.all_datasets().items():
        if settings.render:
            _require_as_drawn(dataset, settings.root)
        if settings.render is None and settings.root.is_file():
            raise UserError(
                f"data set {dataset}: {settings.root} is a file; unpack it with `topdb add "
                f"{dataset} {settings.root}`, and name the folder as its root in params.yaml."
            )
        if settings.render is None and not settings.root.is_dir():
            raise UserError(
                f"data set {dataset}: the folder {settings.root} does not exist; put the images "
                f"there (layout {settings.layout}), or correct its root in params.yaml."
            )
        if settings.distractors and not settings.distractors.is_dir():
            raise UserError(
                f"data set {dataset}: the folder {settings.distractors} does not exist; put the "
                "distractors there, or correct `distractors` in params.yaml."
            )
    start = profile.start
    on_parts = params.trained_on_parts(name)
    _require_parts(profile, on_parts)
    _require_weights(params, profile)
    _require_reference(params, name, profile)
    hardware = profile.hardware.model_dump(mode="json", exclude=HardwareSettings.WITHOUT_EFFECT)
    backbones = _backbones(params, profile)
    return {
        "profile": name or params.profile,
        "methods": profile.methods,
        "papers": _papers(params, profile),
        "figures": _figures(profile),
        "metrics": params.metrics,
        "seeds": profile.seeds,
        "planned_seeds": read_planned(Path("results", name or params.profile)) or profile.seeds,
        "rankings": profile.rankings,
        "datasets": list(profile.datasets),
        "render": {
            dataset: settings.model_dump(mode="json", exclude=DatasetSettings.WITHOUT_EFFECT)
            for dataset, settings in profile.all_datasets().items()
            if settings.render
        },
        "index": {
            dataset: {
                "layout": settings.layout,
                "root": str(settings.root),
                "images": None if settings.render else fingerprint(settings.root),
                **_choices(settings, bool(on_parts)),
            }
            for dataset, settings in profile.all_datasets().items()
        },
        "source": {step: code_digest(*where) for step, where in _SOURCES.items()},
        "titles": [profile.heading, *(settings.title for settings in profile.datasets.values())],
        "pretrain": isinstance(start, PretrainingSettings),
        "kept": _kept(start, set(backbones.values())),
        "weights": {
            dataset: {method: str(path) for method, path in by_method.items()}
            for dataset, by_method in profile.weights.items()
        },
        "train": {
            "scale": profile.scale.model_dump(mode="json"),
            "start": _start(start),
            "hardware": hardware,
            "variables": deciding(),
        },
        "recipes": {
            method: {"side": profile.side(method), "changes": _changes(profile, method)}
            for method in profile.methods
        },
        "backbones": backbones,
        "code": {
            "methods": _method_codes(params, profile, backbones),
            "importing": importing_code(),
            "pretraining": {each: pretraining_code(each) for each in set(backbones.values())},
        },
        "batches": [
            profile.seeds[first : first + profile.hardware.runs_per_job]
            for first in range(0, len(profile.seeds), profile.hardware.runs_per_job)
        ],
        "snapshots": {**asdict(profile.watch), "seed": str(profile.watch.seed)},
        "threads": profile.hardware.threads,
        "device": profile.hardware.device,
        "resources": profile.resources.model_dump(mode="json"),
        "ranking": profile.ranking.model_dump(mode="json"),
        "doubts": profile.doubts.model_dump(mode="json"),
        "statistics": params.statistics_of(name).model_dump(mode="json"),
        "examples": params.examples.model_dump(mode="json"),
        "tracking": params.tracking.model_dump(mode="json"),
        **({"test_on": _test_on(profile)} if profile.crossings else {}),
    }


def _test_on(profile: Profile) -> dict[str, Any]:
    """Return what runs are tested on besides; a profile that asks for nothing has no such key.

    What extracts features is in the digests of the methods, but for the one file.
    """
    targets: dict[str, list[str]] = {}
    for each in profile.crossings:
        targets.setdefault(each.source, []).append(each.target)
    return {"targets": targets, "source": code_digest(["runs/crossing.py"], ())}


def _papers(params: Params, profile: Profile) -> list[dict[str, Any]]:
    """Return the files of each paper, the main one first, and the methods that a table measures."""
    papers = read_papers(params)
    return [
        {
            "name": paper.name,
            "files": list(map(str, paper.files)),
            "tables": {
                table: measured(profile, papers, paper, table).methods for table in paper.tables
            },
        }
        for paper in concerning(profile, papers)
    ]


def _figures(profile: Profile) -> dict[str, dict[str, Any]]:
    """Return what each figure's file says of it, of those that the profile has.

    Files are read as text, since importing them would import what they are drawn with. Imported
    weights were not watched while they were trained.
    """
    folder = Path(__file__).parent / "reporting/figures"
    watched = bool(profile.watch.methods) and not profile.weights
    found = {}
    for name in dropped_in("reporting/figures"):
        tree = ast.parse((folder / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8"))
        said = {
            node.targets[0].id: ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id in _TOLD
        }
        if said["NEEDS"] != "snapshots" or watched:
            found[name] = {key.lower(): value for key, value in said.items()}
    return found


def _require_parts(profile: Profile, methods: Sequence[str]) -> None:
    """Raise a UserError where a data set has no part maps, and methods train on them."""
    for method in methods:
        for dataset, settings in profile.datasets.items():
            if settings.parts is None:
                raise UserError(
                    f"{method} trains on part maps, and data set {dataset} has none: name their "
                    f"folder as datasets.{dataset}.parts in params.yaml, or leave the method out."
                )
            if not settings.render and not settings.parts.is_dir():
                raise UserError(
                    f"{method} trains on part maps, and the folder {settings.parts} of data set "
                    f"{dataset} does not exist: put DensePose's IUV maps there, or leave the "
                    "method out."
                )


def _require_weights(params: Params, profile: Profile) -> None:
    """Raise a UserError where a file of weights is missing that runs are made of or start from."""
    profile.require_weights()
    for dataset, by_method in profile.weights.items():
        for method, path in by_method.items():
            if not path.is_file():
                raise UserError(
                    f"weights.{dataset}.{method}: {path} does not exist; put the authors' "
                    "checkpoint there, or correct its name in params.yaml."
                )
            refuse_other(path, "a checkpoint", *CHECKPOINTS)
    if isinstance(profile.start, ImagenetSettings) and not profile.weights:
        for backbone in sorted(set(_backbones(params, profile).values())):
            profile.start.found(backbone)


def _require_reference(params: Params, name: str | None, profile: Profile) -> None:
    """Raise a UserError where nothing could be compared with the reference once all is trained."""
    stated = params.statistics_of(name).reference_method
    for paper in concerning(profile, read_papers(params)) if params.papers else ():
        if {stated, paper.file.reference_method} & {*profile.methods} or len(profile.methods) == 1:
            continue
        raise UserError(
            f"statistics.reference_method is {stated}, which profile {name or params.profile} does "
            f"not run: name one of {', '.join(profile.methods)} there, or as the profile's own "
            "reference_method."
        )


def _backbones(params: Params, profile: Profile) -> dict[str, str]:
    """Return the backbone of each method, as its file declares it and the scale replaces it."""
    files = method_files(params.method_folders)
    return {
        method: profile.scale.backbone(declared(files[method]).backbone)
        for method in profile.methods
    }


def _method_codes(params: Params, profile: Profile, backbones: dict[str, str]) -> dict[str, str]:
    """Return the digest of the code of each method's runs."""
    files = method_files(params.method_folders)
    return {method: method_code(files[method], backbones[method]) for method in profile.methods}


def _start(start: PretrainingSettings | ImagenetSettings | None) -> dict[str, Any] | None:
    hidden = start.WITHOUT_EFFECT if isinstance(start, PretrainingSettings) else set()
    return start.model_dump(mode="json", exclude=hidden) if start else None


def _kept(
    start: PretrainingSettings | ImagenetSettings | None, backbones: Iterable[str]
) -> dict[str, str | None]:
    """Return the digest of each backbone that is kept, None where it is to be trained."""
    if not isinstance(start, PretrainingSettings):
        return {}
    return {each: kept_digest(start, each) for each in sorted(backbones)}


def _changes(profile: Profile, method: str) -> dict[str, list[Any]]:
    """Return what is changed in a method's recipe, by data set."""
    return {
        dataset: [
            each.model_dump(mode="json", exclude_defaults=True)
            for each in profile.changes_of(method, dataset)
        ]
        for dataset in profile.datasets
    }


def _choices(settings: DatasetSettings, with_parts: bool) -> dict[str, Any]:
    """Return what a data set takes besides its folder; those without have no such keys."""
    chosen = {"split", "release", "content", "leaks"}
    found = settings.model_dump(mode="json", include=chosen, exclude_defaults=True)
    if with_parts and settings.parts is not None:
        found["parts"] = str(settings.parts)
        found["part_maps"] = None if settings.render else fingerprint(settings.parts)
    if settings.distractors is not None:
        found["distractors"] = str(settings.distractors)
        found["distractor_images"] = fingerprint(settings.distractors)
    return found


def _require_as_drawn(dataset: str, root: Path) -> None:
    """Raise a UserError where drawn images are others than when they were drawn."""
    marker = root / MARKER
    try:
        drawn = json.loads(marker.read_text(encoding="utf-8")).get("content")
    except (OSError, ValueError, AttributeError):  # not drawn yet, or being drawn
        return
    if drawn and drawn != fingerprint(root, MARKER):
        raise UserError(
            f"data set {dataset}: files of {root} are others than when it was drawn: delete the "
            "folder, and it is drawn again."
        )
