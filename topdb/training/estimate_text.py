"""An estimate as text for people."""

from collections.abc import Iterator

from topdb.params import Profile
from topdb.training.estimate import Estimate

_GIB = 2**30


def lines(found: Estimate, profile: Profile, name: str, machine: str, device: str) -> Iterator[str]:
    """Yield an estimate as text for people; `device`, cpu or cuda, is whose time it is."""
    training = profile.training
    batch = training.people_per_batch * training.images_per_person
    yield f"Profile {name} on {machine}; batches of {batch}, {training.epochs} epochs."
    yield ""
    yield (
        f"{'method':14}{'s/step':>9}{'images/s':>10}{'memory':>11}{'extraction':>13}  timed images"
    )
    for each in found.timings:
        note = "" if each.timed_images == batch else f", extrapolated to {batch}"
        yield (
            f"{each.name:14}{each.step_seconds:9.3g}{batch / each.step_seconds:10.1f}"
            f"{each.memory_bytes / _GIB:7.2f} GiB{each.extraction_speed:11.1f}/s  "
            f"{each.timed_images}{note}"
        )
    yield ""
    epochs = 0 if profile.weights else training.epochs
    columns = "".join(f"{each.name:>12}" for each in found.timings)
    yield f"{'time of a run':18}{'images':>8}{'steps':>7}  {'source':10}{columns}"
    grid = found.pretraining_hours
    for workload in found.workloads:
        hours = [found.run_hours(each, workload, epochs) for each in found.timings]
        grid += sum(hours) * len(profile.seeds)
        shown = "".join(f"{_span(each):>12}" for each in hours)
        yield (
            f"{workload.name:18}{workload.train_images:8}{workload.steps:7}  "
            f"{workload.source:10}{shown}"
        )
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
