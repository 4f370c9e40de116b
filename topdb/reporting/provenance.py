"""Where a table's numbers come from: the notes below it, read from the runs' own files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from topdb.files import read_json
from topdb.grid import GridRun, runs
from topdb.params import Profile


def notes(profile: Profile, profile_name: str, results: Path) -> Iterator[str]:
    """Yield one line a fact: profile, data, code, machine, evaluator."""
    finished = [run for run in runs(profile) if (run.folder(results) / "run.json").is_file()]
    planned = len(list(runs(profile)))
    records = [read_json(run.folder(results) / "run.json") for run in finished]
    seeds = ", ".join(map(str, profile.seeds))
    yield f"Profile `{profile_name}`, recipe `{profile.recipe}`, seeds {seeds}."
    if len(finished) < planned:
        yield f"**Incomplete**: {planned - len(finished)} of {planned} runs are missing."
    imported = [record for record in records if record.get("checkpoint")]
    if imported:
        yield f"**Authors' weights**, imported and not trained here: {_checkpoints(imported)}."
    for dataset in profile.datasets:
        known = [r["index_digest"] for r in records if r["dataset"] == dataset]
        digests = sorted({digest for digest in known if digest})
        if digests:
            yield f"Data `{dataset}`: digest {', '.join(f'`{each[:16]}`' for each in digests)}."
    commits = {_commit(record) for record in records}
    if commits:
        yield f"Code: {', '.join(sorted(commits))}."
        machines = {(r["environment"]["device"], r["environment"]["threads"]) for r in records}
        threads = "; ".join(f"{name}, {count} thread(s) a run" for name, count in sorted(machines))
        versions = {r["environment"]["versions"]["torch"] for r in records}
        yield f"Machine: {threads}; torch {', '.join(sorted(versions))}."
    yield from _evaluators(profile, results, finished)


def _checkpoints(records: list[dict[str, Any]]) -> str:
    """Name the released checkpoint of each imported run."""
    named = []
    for record in records:
        checkpoint = record["checkpoint"]
        epoch = f", epoch {checkpoint['epoch']}" if checkpoint["epoch"] else ""
        named.append(
            f"`{record['method']}` on `{record['dataset']}` (`{checkpoint['file']}`, digest "
            f"`{checkpoint['sha256'][:16]}`{epoch})"
        )
    return ", ".join(named)


def _commit(record: dict[str, Any]) -> str:
    git = record["environment"]["git"]
    if git is None:
        return "not a git checkout"
    return f"`{git['commit'][:12]}`" + (" with uncommitted changes" if git["dirty"] else "")


def _evaluators(profile: Profile, results: Path, finished: list[GridRun]) -> Iterator[str]:
    for ranking in profile.rankings:
        found = set()
        for run in finished:
            path = run.metrics(results, ranking)
            if path.is_file():
                evaluator = read_json(path)["evaluator"]
                reranking = evaluator["reranking"]
                text = f"{evaluator['distance']}; AP rule `{evaluator['ap_rule']}`"
                if reranking:
                    text += (
                        f"; k-reciprocal re-ranking `{reranking['variant']}`, k1 = "
                        f"{reranking['k1']}, k2 = {reranking['k2']}, lambda = {reranking['lambda']}"
                    )
                found.add(text)
        for text in sorted(found):
            yield f"Evaluator `{ranking}`: {text}."
