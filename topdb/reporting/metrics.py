"""Numbers for DVC: metrics of each cell, and the data behind its plots."""

import math
from pathlib import Path
from typing import Any

from topdb.config import Profile
from topdb.errors import UserError
from topdb.files import read_json, write_csv, write_json
from topdb.reporting.records import inner, number, read_history
from topdb.reporting.scores import QUANTITIES, read_cell
from topdb.results.runs import cells, runs
from topdb.statistics import headline


def write_metrics(profile: Profile, results: Path, path: Path) -> None:
    """Write mean, deviation and number of seeds of each cell, nested as data set, method, ranking.

    Values are in percent.
    """
    content: dict[str, Any] = {"rendered_data": profile.rendered}
    for cell in cells(profile):
        scores = read_cell(profile, results, cell)
        if scores is None:
            continue
        entry: dict[str, float | int] = {}
        for quantity in QUANTITIES:
            found = headline(scores.by_seed(quantity))
            entry[quantity] = round(found.mean, 4)
            if not math.isnan(found.sd):
                entry[f"{quantity}_sd"] = round(found.sd, 4)
        entry["seeds"] = len(scores.seeds)
        by_dataset = content.setdefault(cell.dataset, {})
        by_dataset.setdefault(cell.method, {})[cell.ranking] = entry
    write_json(path, content)


def write_plots(profile: Profile, results: Path, folder: Path) -> None:
    """Write `seeds.csv`, one row a run and ranking, and `training.csv`, one row a run and epoch."""
    seeds, training = [], []
    for run in runs(profile):
        name = {"dataset": run.dataset, "method": run.method, "seed": run.seed}
        for ranking in profile.rankings:
            file = run.metrics(results, ranking)
            if file.is_file():
                metrics = read_json(file)
                shares = number(metrics.get("mAP")), number(inner(metrics, "cmc").get("1"))
                if any(math.isnan(share) for share in shares):
                    raise UserError(f"{file} lacks mAP or R1: run `topdb evaluate` again.")
                scores = {"mAP": 100 * shares[0], "R1": 100 * shares[1]}
                seeds.append({**name, "ranking": ranking, **scores})
        history = run.folder(results) / "history.csv"
        if history.is_file():
            for row in read_history(history, ("epoch", "learning_rate", "loss")):
                training.append({**name, **row, "epoch": int(row["epoch"])})
    keys = ["dataset", "method", "seed"]
    write_csv(folder / "seeds.csv", [*keys, "ranking", "mAP", "R1"], seeds)
    write_csv(folder / "training.csv", [*keys, "epoch", "learning_rate", "loss"], training)
