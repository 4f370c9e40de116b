"""Where a table's numbers come from: the notes below it, read from the runs' own files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from topdb.config import Profile
from topdb.reporting.departures import departures, followed
from topdb.reporting.documents import Code, Strong, Text
from topdb.results.provenance import together
from topdb.results.records import TRAINED, RunRecord, inner, lacking
from topdb.results.runs import runs
from topdb.results.stored import Evaluation, StoredRun, evaluations, stored_runs

_SHOWN = 5
"""Files that a line names."""


def notes(
    profile: Profile, profile_name: str, results: Path, across: Sequence[Evaluation] = ()
) -> Iterator[Text]:
    """Yield one line a fact: profile, data, code, machine, evaluator.

    `across` are evaluations on other data sets than the runs' own, if the table shows any.

    Raises
    ------
    UserError
        A run's file is broken or lacks a key.
    """
    planned = list(runs(profile))
    finished = stored_runs(profile, results)
    records = [each.record for each in finished]
    evaluated = evaluations(finished, profile.rankings)
    seeds = ", ".join(map(str, profile.seeds))
    yield (
        "Profile ",
        Code(profile_name),
        ", recipe ",
        Code(followed(profile, records)),
        f", seeds {seeds}.",
    )
    if len(finished) < len(planned):
        missing = f": {len(planned) - len(finished)} of {len(planned)} runs are missing."
        yield (Strong("Incomplete"), missing)
    yield from _diverged(records)
    yield from _unsound(profile, results, finished, evaluated)
    yield from _recipes(profile, records)
    imported = [record for record in records if record.checkpoint]
    if imported:
        yield (Strong("Authors' weights"), ", imported and not trained here: ", *_named(imported))
    for dataset in profile.datasets:
        yield from _data(dataset, [each for each in records if each.dataset == dataset])
    if records:
        yield from _code(records)
        machines = sorted({(_machine(each), each.threads) for each in records})
        threads = "; ".join(f"{name}, {count} thread(s) a run" for name, count in machines)
        versions = ", ".join(sorted({each.versions.get("torch", "unknown") for each in records}))
        yield (f"Machine: {threads}; torch {versions}.",)
    yield from _evaluators(profile, [*evaluated, *across])


def _unsound(
    profile: Profile,
    results: Path,
    finished: Sequence[StoredRun],
    evaluated: Sequence[Evaluation],
) -> Iterator[Text]:
    """Say which files are missing, which state no digests, and where `params.yaml` differs."""
    gaps = [path.relative_to(results) for each in finished for path in each.gaps(profile.rankings)]
    if gaps:
        more = f" and {len(gaps) - _SHOWN} more" if len(gaps) > _SHOWN else ""
        named = _listed(path.as_posix() for path in gaps[:_SHOWN])
        yield (Strong("Missing beside others"), ": ", *named, f"{more}.")
    silent = [each for each in finished if each.record.history_digest is None]
    if silent:
        yield (
            Strong("No digests"),
            f": the files of {len(silent)} runs were written before files stated digests of "
            "themselves; damage to them may go unnoticed.",
        )
    for each in departures(profile, finished, evaluated):
        more = f" and {len(each.runs) - 1} more" if len(each.runs) > 1 else ""
        of = f" ({each.runs[0]}{more}); what is said here of runs is theirs."
        then = (", the runs were made with ", Code(each.then), of)
        yield (Strong("params.yaml differs"), ": ", Code(each.key), " is ", Code(each.now), *then)


def _diverged(records: list[RunRecord]) -> Iterator[Text]:
    """Count the trainings that went wrong by their own losses, and name each."""
    found = [(each, each.diverged) for each in records if each.diverged]
    if found:
        told = "; ".join(
            f"{run.dataset}/{run.method}/seed-{run.seed}: {wrong}" for run, wrong in found
        )
        yield (
            Strong("Diverged"),
            f": {len(found)} of {len(records)} trainings, whose scores are part of the means "
            f"({told}).",
        )


def _recipes(profile: Profile, records: list[RunRecord]) -> Iterator[Text]:
    """Say of which recipe a method is where that is not the profile's, and what was changed."""
    for method in profile.methods:
        own = [record.recipe for record in records if record.method == method]
        for side, note in dict.fromkeys((recipe.side, recipe.note) for recipe in own):
            if side and (note or side != profile.recipe):
                told = f". {note.removesuffix('.')}." if note else "."
                yield ("Recipe of ", Code(method), ": ", Code(side), told)
        if any(_at_random(record) for record in records if record.method == method):
            told = ": nobody published ImageNet weights of its backbone, which others start from."
            yield (Strong("Random start"), " of ", Code(method), told)
    changes = dict.fromkeys(change for record in records for change in record.recipe.changes)
    if changes:
        yield (Strong("Changed"), f" in the recipes: {'; '.join(changes)}.")


def _at_random(record: RunRecord) -> bool:
    """Whether a training started at random where others of its profile start from ImageNet."""
    kind = inner(record.content, "start").get("kind")
    started_from = record.content.get("start_digest", "not told")
    return record.origin == TRAINED and kind == "imagenet" and started_from is None


def _data(dataset: str, records: list[RunRecord]) -> Iterator[Text]:
    """Say which data the runs saw, and what is odd about them."""
    digests = sorted({each.index_digest for each in records if each.index_digest})
    seen = dict.fromkeys(each.data for each in records)
    contents = sorted({each.content for each in seen if each.content})
    if digests:
        protocols = "; ".join(dict.fromkeys(each.protocol for each in seen if each.protocol))
        found: Text = (
            "Data ",
            Code(dataset),
            f": {protocols}; digest " if protocols else ": digest ",
        )
        found += tuple(_listed(digest[:16] for digest in digests))
        if contents:
            found += ("; content ", *_listed(content[:16] for content in contents))
        yield (*found, ".")
    told: dict[Text, None] = {}
    for each in seen:
        counts = ", ".join(f"{number:,} {kind}" for kind, number in each.conversions)
        if counts:
            told[("Converted in ", Code(dataset), f": {counts}.")] = None
        copies = ", ".join(f"{number:,} of {split}" for split, number in each.copies)
        if copies:
            told[("Copies of other images in ", Code(dataset), f": {copies}.")] = None
        for leak in each.leaks:
            told[(Strong("Doubtful"), ", data ", Code(dataset), f": {leak}.")] = None
    yield from told


def _named(records: list[RunRecord]) -> Iterator[str | Code]:
    """Name the released checkpoint of each imported run."""
    for number, record in enumerate(records):
        if number:
            yield ", "
        checkpoint = record.checkpoint
        assert checkpoint
        dataset = record.dataset or "no data set"
        yield from (Code(record.method), " on ", Code(dataset), " (", Code(checkpoint.file))
        yield from (", digest ", Code(checkpoint.sha256[:16]))
        yield f", epoch {checkpoint.epoch})" if checkpoint.epoch else ")"
    yield "."


def _machine(record: RunRecord) -> str:
    """Name the processor or GPU, and the variables by which libraries compute otherwise on it."""
    around = inner(record.content, "environment")
    variables = [f"{name}={value}" for name, value in sorted(inner(around, "variables").items())]
    return ", ".join(map(str, filter(None, (record.device, around.get("vectors"), *variables))))


def _code(records: list[RunRecord]) -> Iterator[Text]:
    """Say by one digest which code all runs come from, and where a method's do not agree."""
    digest, told = together((record.method, record.code) for record in records)
    yield ("Code: digest ", Code(digest[:16]), f"; {told}.")
    codes: dict[str, set[str]] = {}
    for record in records:
        codes.setdefault(record.method, set()).add(record.code.digest or "unknown")
    for method, found in codes.items():
        if len(found) > 1:
            named = _listed(code[:16] for code in sorted(found))
            yield (Strong("Different code"), " in runs of ", Code(method), ": ", *named, ".")


def _evaluators(profile: Profile, evaluated: Sequence[Evaluation]) -> Iterator[Text]:
    for ranking in profile.rankings:
        found: dict[Text, None] = {}
        doubts: dict[str, list[StoredRun]] = {}
        collapsed: list[str] = []
        for stored, own, summary in evaluated:
            if own != ranking:
                continue
            try:
                found[_evaluator(summary.evaluator, summary.code.digest)] = None
            except (KeyError, TypeError) as error:
                path = stored.files.metrics(ranking)
                raise lacking(path, error, "run `topdb evaluate` again.") from None
            for doubt in summary.doubts:
                doubts.setdefault(doubt, []).append(stored)
            collapsed += [stored.name] * summary.collapsed
        for described in found:
            yield ("Evaluator ", Code(ranking), ": ", *described, ".")
        if collapsed:
            runs, named = sum(own == ranking for _, own, _ in evaluated), ", ".join(collapsed)
            yield (
                Strong("Collapsed"),
                " (",
                Code(ranking),
                f"): {len(collapsed)} of {runs} runs give every image the same features, "
                f"and their cells have no mean ({named}).",
            )
        for doubt, of in doubts.items():
            more = f" and {len(of) - 1} more" if len(of) > 1 else ""
            run = Code(of[0].name)
            yield (Strong("Doubtful"), " (", Code(ranking), "), ", run, f"{more}: {doubt}.")


def _evaluator(identity: Mapping[str, Any], code: str | None) -> Text:
    described: Text = (f"{identity['distance']}; AP rule ", Code(str(identity["ap_rule"])))
    reranking = identity["reranking"]
    if reranking:
        described += (
            "; k-reciprocal re-ranking ",
            Code(str(reranking["variant"])),
            f", k1 = {reranking['k1']}, k2 = {reranking['k2']}, lambda = {reranking['lambda']}",
        )
    shot = identity.get("single_gallery_shot")
    if shot:
        described += (f"; CMC of one gallery image a person, {shot['repeats']} draws",)
    return (*described, "; code ", Code(code[:16])) if code else described


def _listed(names: Iterator[str]) -> Iterator[str | Code]:
    for number, name in enumerate(names):
        if number:
            yield ", "
        yield Code(name)
