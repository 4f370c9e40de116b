"""Numbers and names as a reader sees them, the same in every format."""

import math

from topdb.config import Profile
from topdb.reporting.comparisons import ClaimPart, Difference
from topdb.reporting.documents import ClaimLine, Document, Entry

DASH = "–"


def dataset_title(profile: Profile, dataset: str) -> str:
    """Return how tables call a data set, whether the profile has it or not."""
    settings = profile.datasets.get(dataset)
    return (settings.title if settings else None) or dataset


def summary(entry: Entry) -> str:
    """Return a value: alone if published, with its spread and number of seeds if measured."""
    if math.isnan(entry.value):
        return DASH
    if entry.seeds is None:
        return f"{entry.value:.1f}"
    spread = "" if entry.sd is None else f" ± {entry.sd:.1f}"
    return f"{entry.value:.1f}{spread} ({entry.seeds})"


def verdict(entry: Entry) -> str:
    """Return an entry's verdict, with the number of seeds that would settle an open one."""
    seeds = "" if entry.seeds_to_settle is None else f" ({entry.seeds_to_settle} seeds)"
    return entry.verdict + seeds


def reason(line: ClaimLine, power: float) -> str:
    """Return why a claim has its verdict, and how many seeds its published differences need."""
    needed = [
        f"{title} {part.seeds_to_see}"
        for title, part in zip(line.datasets, line.parts, strict=True)
        if part.seeds_to_see is not None
    ]
    if not needed:
        return line.claim.reason
    return (
        f"{line.claim.reason} Seeds of each method that show the published difference with "
        f"{100 * power:g} % power: {', '.join(needed)}."
    )


def difference(each: Difference | ClaimPart) -> str:
    """Return an estimate with its interval; a dash without runs."""
    if math.isnan(each.estimate):
        return DASH
    interval = "" if math.isnan(each.low) else f" [{each.low:+.1f}, {each.high:+.1f}]"
    return f"{each.estimate:+.1f}{interval}"


def p_value(p: float) -> str:
    """Return a p value with as many digits as matter; a dash where there is none."""
    if math.isnan(p):
        return DASH
    return f"{p:.3f}" if p >= 0.001 else "<0.001"


def differences(document: Document) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table of differences."""
    percent = f"{100 * document.confidence:g} %"
    quantities = list(dict.fromkeys(column.quantity for column in document.columns))
    header = ["Data set", "Method"]
    for quantity in quantities:
        header += [f"Δ {quantity} [{percent}]", "p", "p (Holm)"]
    rows = []
    for line in document.differences:
        row = [line.dataset, line.method]
        for each in line.differences:
            row += [difference(each), p_value(each.p), p_value(each.adjusted_p)]
        first = line.differences[0]
        rows.append([*row, f"{first.seeds}/{first.reference_seeds}"])
    return [*header, "Seeds"], rows


def claims(document: Document) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table of claims: a row a claim, then a column a data set."""
    percent = f"{100 * document.confidence:g} %"
    titles = {
        part.dataset: title
        for line in document.claims
        for part, title in zip(line.parts, line.datasets, strict=True)
    }
    header = ["Claim", "Verdict", "p", "p (Holm)"]
    header += [f"{title} Δ [{percent}]" for title in titles.values()]
    rows = []
    for line in document.claims:
        parts = {part.dataset: part for part in line.parts}
        claim = line.claim
        row = [claim.title, claim.verdict, p_value(claim.p), p_value(claim.adjusted_p)]
        row += [difference(parts[name]) if name in parts else DASH for name in titles]
        rows.append(row)
    return header, rows
