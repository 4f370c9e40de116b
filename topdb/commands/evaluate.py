"""`topdb evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from topdb.commands.options import known_word
from topdb.config import DoubtSettings, Ranking, RankingSettings, checked
from topdb.datasets.index import read_index
from topdb.errors import UserError
from topdb.evidence.people import Intervals, intervals, write_intervals
from topdb.formats import read
from topdb.results.evaluation import Summary, read_queries
from topdb.results.features import is_documented
from topdb.results.runs import forget
from topdb.runs.evaluate import evaluate as score
from topdb.runs.indexed import with_index

PLAIN = ["plain"]
SHOWN = ("mAP", "R1", "R5", "R10", "mINP")


def evaluate(
    features: Annotated[
        list[Path],
        typer.Argument(help="A file of features, of topdb or another toolkit."),
    ],
    out: Annotated[
        list[Path],
        typer.Option("--out", help="Folder, in which each ranking gets one; one for each file."),
    ],
    ranking: Annotated[
        list[str], typer.Option(help="plain, or rk: k-reciprocal re-ranking. May be repeated.")
    ] = PLAIN,
    metric: Annotated[
        str, typer.Option(help="euclidean, or cosine as fast-reid ranks by default.")
    ] = "euclidean",
    ap_rule: Annotated[str, typer.Option(help="step or trapezoid.")] = "step",
    variant: Annotated[str, typer.Option(help="Re-ranking: torchreid or zhong2017.")] = "torchreid",
    k1: Annotated[int, typer.Option(help="Re-ranking: neighbours.")] = 20,
    k2: Annotated[int, typer.Option(help="Re-ranking: neighbours of the query expansion.")] = 6,
    original_weight: Annotated[
        float, typer.Option("--lambda", help="Re-ranking: weight of the original distance.")
    ] = 0.3,
    single_gallery_shot: Annotated[
        int, typer.Option(help="Draws of CUHK03's classic CMC; 0: the whole gallery.")
    ] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the ranking.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, or cuda for the products on a GPU.")] = "cpu",
    num_query: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of queries, where a file has all images in one list, queries first."
        ),
    ] = None,
    cameras: Annotated[
        str,
        typer.Option(
            help="required: a match is under another camera than the query's. ignore: under any."
        ),
    ] = "required",
    index: Annotated[
        Path | None,
        typer.Option(help="A data set's index.parquet, to take paths from and check ids against."),
    ] = None,
    least_matched: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Share of queries that must have a match."),
    ] = 0.5,
    allow_same_paths: Annotated[
        bool, typer.Option("--allow-same-paths", help="Let query images be gallery images, too.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Show no progress and no intervals over people.")
    ] = False,
) -> None:
    """Rank a gallery for each query, and score the ranking by CMC, mAP and mINP."""
    settings = checked(
        RankingSettings,
        "evaluate",
        metric=metric,
        ap_rule=ap_rule,
        variant=variant,
        k1=k1,
        k2=k2,
        original_weight=original_weight,
        single_gallery_shot=single_gallery_shot,
    )
    allowed = DoubtSettings(least_matched=least_matched, allow_same_paths=allow_same_paths)
    known: dict[str, Ranking] = {"plain": "plain", "rk": "rk"}
    for name in ranking:
        known_word("--ranking", name, known)
    known_word("--cameras", cameras, ("required", "ignore"))
    if len(out) != len(features):
        raise UserError(
            f"--out is given {len(out)} times for {len(features)} files: give it once for each."
        )
    for file, folder in zip(features, out, strict=True):
        documented = is_documented(file)
        given = None if documented and not index else read([file], num_query=num_query)
        if given and index:
            given = with_index(given, read_index(index), str(file))
        if given:
            typer.echo(given.sentence)
        for name in ranking:
            found = score(
                file,
                known[name],
                settings,
                folder / name,
                threads,
                device=device,
                quiet=quiet,
                given=given,
                ignore_cameras=cameras == "ignore",
                allowed=allowed,
            )
            typer.echo(_headline(found, name, {} if quiet else _intervals(folder / name, found)))
            for doubt in found.doubts:
                typer.echo(f"  note: {doubt}.")
        forget(file.parent)


def _intervals(folder: Path, found: Summary) -> Intervals:
    if found.collapsed:
        return {}
    over_people = intervals(read_queries(folder / "queries.parquet"), found)
    write_intervals(folder / "intervals.json", over_people)
    return over_people


def _headline(found: Summary, ranking: str, over_people: Intervals) -> str:
    """Return the score in one line, with intervals over people where there are any."""
    if found.collapsed:
        return f"no score  ({ranking})"
    shown = []
    for name in SHOWN if over_people else SHOWN[:2]:
        each = over_people.get(name)
        ends = f" [{100 * each.low:.2f}, {100 * each.high:.2f}]" if each else ""
        shown.append(f"{name} {100 * found.metrics[name]:.2f}{ends}")
    some = next(iter(over_people.values()), None)
    what = f", {100 * some.confidence:g} % over {some.people} people" if some else ""
    return f"{'  '.join(shown)}  ({ranking}{what})"
