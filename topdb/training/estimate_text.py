"""An estimate as text for people."""

from collections.abc import Iterator

from topdb.params import Profile
from topdb.training.estimate import Estimate

_GIB = 2**30


def lines(found: Estimate, profile: Profile, name: str, machine: str, device: str) -> Iterator[str]:
    """Yield an estimate as text for people; `device`, cpu or cuda, is whose time it is."""
    yield f"Profile {name} on {machine}."
    yield ""
    yield (
        f"{'method':14}{'batch':>6}{'passes':>8}{'s/step':>9}{'images/s':>10}{'memory':>11}"
        f"{'extraction':>13}  timed images"
    )
    for each in found.timings:
        note = "" if each.timed_images == each.batch else f", extrapolated to {each.batch}"
        yield (
            f"{each.name:14}{each.batch:6}{each.passes:8}{each.step_seconds:9.3g}"
            f"{each.batch / each.step_seconds:10.1f}{each.memory_bytes / _GIB:7.2f} GiB"
            f"{each.extraction_speed:11.1f}/s  {each.timed_images}{note}"
        )
    yield ""
    trained = not profile.weights
    names = [workload.name for workload in found.workloads]
    yield f"{'time of a run':14}" + "".join(f"{each:>18}" for each in names)
    grid = found.pretraining_hours
    for each in found.timings:
        hours = [found.run_hours(each, workload, trained) for workload in found.workloads]
        grid += sum(hours) * len(profile.seeds)
        yield f"{each.name:14}" + "".join(f"{_span(hour):>18}" for hour in hours)
    sources = ", ".join(f"{each.name} {each.source}" for each in found.workloads)
    yield f"Sizes of the data sets: {sources}." if sources else "No data set has a known size."
    yield ""
    runs = len(found.workloads) * len(profile.methods) * len(profile.seeds)
    if profile.weights:
        parts = "extraction alone, since weights are imported"
    else:
        parts = "training and extraction"
        parts += ", and the pretraining" if found.pretraining_hours else ""
    whose = "of one GPU" if device == "cuda" else "of one process"
    yield f"The whole grid: {runs} runs, {_span(grid)} {whose} ({parts})."
    if found.unknown:
        unknown = ", ".join(found.unknown)
        yield f"Not counted, since only `topdb index` will tell their size: {unknown}."


def _span(hours: float) -> str:
    """Write a time in the unit that suits it."""
    if hours < 1 / 60:
        return f"{3600 * hours:.2g} s"
    if hours < 1:
        return f"{60 * hours:.1f} min"
    return f"{hours:.1f} h" if hours < 100 else f"{hours:,.0f} h"
