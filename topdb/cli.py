"""The command line: parse, call one function, print."""

import gc
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import topdb
from topdb.errors import UserError

if TYPE_CHECKING:
    from topdb.params import Params

app = typer.Typer(
    name="topdb",
    help="Does Top DropBlock reproduce? Train, rank, compare and report person re-identification.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

ParamsFile = Annotated[Path, typer.Option("--params", envvar="TOPDB_PARAMS", help="Parameters.")]
ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile",
        envvar="TOPDB_PROFILE",
        help="A profile of the parameter file; default: its own.",
    ),
]
DatasetName = Annotated[str, typer.Argument(help="A data set of the profile.")]
IndexFile = Annotated[Path, typer.Option("--index", help="The data set's index.parquet.")]
PixelsFile = Annotated[Path, typer.Option("--pixels", help="The data set's decoded images.")]
ResultsFolder = Annotated[
    Path | None, typer.Option("--results", help="Folder of the runs; default: results/PROFILE.")
]
PARAMS = Path("params.yaml")


def _imported() -> None:
    """Collect garbage from here on; what was imported is not garbage, now or at exit."""
    gc.freeze()
    gc.enable()


def _chosen(params: Path, profile: str | None, results: Path | None) -> tuple["Params", str, Path]:
    """Return the parameters, the name of the wanted profile, and the folder of its runs."""
    from topdb.params import load

    settings = load(params)
    name = profile or settings.profile
    return settings, name, results or Path("results") / name


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"topdb {topdb.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Does Top DropBlock reproduce? Train, rank, compare and report person re-identification."""


@app.command()
def plan(params: ParamsFile = PARAMS, profile: ProfileName = None) -> None:
    """Validate the parameters and print what a profile runs, as JSON, for the workflow."""
    from topdb.params import load
    from topdb.planning import plan as planned

    typer.echo(json.dumps(planned(load(params), profile)))


@app.command()
def render(dataset: DatasetName, params: ParamsFile = PARAMS, profile: ProfileName = None) -> None:
    """Draw a data set of pedestrians in its published folder layout."""
    from topdb.datasets.render.rendering import render as draw
    from topdb.params import load

    settings = load(params).selected(profile).dataset(dataset)
    if settings.render is None:
        raise UserError(f"data set {dataset} is a real one: put its images into {settings.root}.")
    counts = draw(settings.render, settings.layout, settings.root)
    typer.echo(f"{settings.root}: " + ", ".join(f"{n} {split}" for split, n in counts.items()))


@app.command()
def index(
    dataset: DatasetName,
    out: IndexFile,
    pixels: PixelsFile,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
) -> None:
    """Read a data set's images once: write its index and its decoded pixels."""
    from topdb.datasets.building import build_index
    from topdb.params import load

    settings = load(params).selected(profile).dataset(dataset)
    built = build_index(dataset, settings.layout, settings.root, out, pixels)
    for split, counts in built.split_counts.items():
        typer.echo(
            f"{dataset} {split}: {counts.images} images of {counts.people} people "
            f"by {counts.cameras} cameras"
        )


@app.command()
def pretrain(
    index: IndexFile,
    pixels: PixelsFile,
    out: Annotated[Path, typer.Option("--out", help="Folder for backbone.safetensors.")],
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
) -> None:
    """Train the backbone that every run of a profile starts from."""
    from topdb.datasets.index import read_index
    from topdb.datasets.pixels import Pixels
    from topdb.params import PretrainingSettings, load
    from topdb.training.environment import prepare
    from topdb.training.pretraining import pretrain as train_backbone

    _imported()
    settings = load(params).selected(profile)
    if not isinstance(settings.start, PretrainingSettings):
        raise UserError("this profile does not pretrain: its start in params.yaml is another.")
    read = read_index(index)
    prepare(settings.training.device, settings.training.threads)
    train_backbone(
        read, Pixels.open(pixels, read), settings.network, settings.start, settings.training, out
    )


@app.command()
def train(
    dataset: DatasetName,
    method: Annotated[str, typer.Argument(help="A method of the profile.")],
    seed: Annotated[int, typer.Argument(min=0, help="Decides every random choice.")],
    index: IndexFile,
    pixels: PixelsFile,
    out: Annotated[Path, typer.Option("--out", help="Folder of the run's files.")],
    backbone: Annotated[
        Path | None, typer.Option("--backbone", help="The pretrained backbone's weights.")
    ] = None,
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
) -> None:
    """Train one method on one data set with one seed, and extract its test features."""
    from topdb.params import load

    settings = load(params)
    chosen = settings.selected(profile)
    chosen.dataset(dataset)
    chosen.require_method(method)
    chosen.require_backbone(backbone)
    from topdb.training.command import train_and_track

    _imported()
    train_and_track(
        settings, profile or settings.profile, dataset, method, seed, index, pixels, backbone, out
    )


@app.command()
def evaluate(
    features: Annotated[Path, typer.Argument(help="A features.npz file, from any model.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for queries.parquet, metrics.json.")],
    ranking: Annotated[str, typer.Option(help="plain, or rk: k-reciprocal re-ranking.")] = "plain",
    ap_rule: Annotated[str, typer.Option(help="step or trapezoid.")] = "step",
    variant: Annotated[str, typer.Option(help="Re-ranking: torchreid or zhong2017.")] = "torchreid",
    k1: Annotated[int, typer.Option(help="Re-ranking: neighbours.")] = 20,
    k2: Annotated[int, typer.Option(help="Re-ranking: neighbours of the query expansion.")] = 6,
    original_weight: Annotated[
        float, typer.Option("--lambda", help="Re-ranking: weight of the original distance.")
    ] = 0.3,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the ranking.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, or cuda for the products on a GPU.")] = "cpu",
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Rank a gallery for each query, and score the ranking by CMC, mAP and mINP."""
    from topdb.evaluation import evaluate as score
    from topdb.params import Ranking, RankingSettings, checked

    _imported()
    settings = checked(
        RankingSettings,
        "evaluate",
        ap_rule=ap_rule,
        variant=variant,
        k1=k1,
        k2=k2,
        original_weight=original_weight,
    )
    wanted: Ranking = "rk" if ranking == "rk" else "plain"
    if ranking != wanted:
        raise UserError(f"--ranking is '{ranking}': name plain or rk.")
    metrics = score(features, wanted, settings, out, threads, device=device, quiet=quiet)
    typer.echo(f"mAP {100 * metrics['mAP']:.2f}  R1 {100 * metrics['cmc']['1']:.2f}  ({ranking})")


@app.command()
def compare(
    out: Annotated[Path, typer.Option("--out", help="The comparisons.parquet to write.")],
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
) -> None:
    """Compare every method with the reference method, cell by cell."""
    from topdb.reporting.comparisons import write_comparisons

    write_comparisons(*_chosen(params, profile, results), out)


@app.command()
def report(
    what: Annotated[str, typer.Argument(help="table1, table2, metrics or plots.")],
    out: Annotated[Path, typer.Option("--out", help="File to write (a folder for plots).")],
    comparisons: Annotated[
        Path | None, typer.Option("--comparisons", help="Of `topdb compare`; for the tables.")
    ] = None,
    published: Annotated[
        Path, typer.Option("--published", help="Folder of the paper's numbers.")
    ] = Path("reports/published"),
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
) -> None:
    """Render a table, the metrics file or the plots' data from finished runs."""
    from topdb.reporting.reports import write_report

    write_report(what, *_chosen(params, profile, results), comparisons, published, out)


@app.command()
def reference(
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; default: check.reference.")
    ] = None,
) -> None:
    """Summarise a profile's finished runs as the reference that `topdb check` compares with."""
    from topdb.reporting.check import write_reference

    settings, name, folder = _chosen(params, profile, results)
    write_reference(settings, name, folder, out or settings.check.reference)


@app.command()
def check(
    params: ParamsFile = PARAMS, profile: ProfileName = None, results: ResultsFolder = None
) -> None:
    """Exit with 1, naming each cell, where mean mAP left its tolerance around the reference."""
    from topdb.reporting.check import check_against_reference

    drifted, lines = check_against_reference(*_chosen(params, profile, results))
    typer.echo("\n".join(lines))
    if drifted:
        raise typer.Exit(1)


@app.command()
def track(
    params: ParamsFile = PARAMS,
    profile: ProfileName = None,
    results: ResultsFolder = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The receipt; default: tracked.json there."),
    ] = None,
) -> None:
    """Tell MLflow about every finished run that it does not know yet."""
    from topdb.tracking import track_finished

    settings, name, folder = _chosen(params, profile, results)
    typer.echo(track_finished(settings, name, folder, out or folder / "tracked.json"))


def main() -> None:
    """Run the command line; a user's mistake is one sentence and exit status 2."""
    gc.disable()  # looking for garbage while torch is imported takes a third of that time
    try:
        app()
    except UserError as error:
        print(f"topdb: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        reason = f"{named}{error.strerror or error}"
        print(f"topdb: {reason}; mend it and run the same command again.", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("topdb: stopped; finished files are kept.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
