import math

import numpy as np
import pytest
import tiny
import torch

from topdb.config import HardwareSettings, Profile, load
from topdb.datasets.building import build_index
from topdb.datasets.index import read_index
from topdb.methods.parts.batches import people_batches
from topdb.runs import estimate as module
from topdb.runs.estimate import Estimate, Timing, Workload, estimate, lines
from topdb.runs.record import chosen

PRETRAINING = {
    "kind": "pretraining",
    "dataset": {"layout": "market1501", "root": "more", "render": tiny.RENDER},
    "epochs": 2,
    "seed": 0,
    "people": 3,
    "images": 2,
}
METHODS = ("baseline", "top-db-net")
MINI = load(tiny.ROOT / "params.yaml").selected("mini")


def profile(**changes):
    return Profile.model_validate(tiny.content(changes)["profiles"]["tiny"])


def test_every_method_is_timed_and_the_published_size_is_taken_without_an_index(tmp_path):
    found = estimate(profile(), "cpu", None, tmp_path)
    assert [each.name for each in found.timings] == ["baseline", "top-db-net"]
    for each in found.timings:
        assert (each.batch, each.passes) == (6, 2)
        assert 0 < each.step_seconds < 10
        assert each.extraction_speed > 1
        assert each.timed_images == 6
        assert each.memory_bytes > 0
    labels = np.arange(12936) % 751
    steps = len(people_batches(labels, 3, 2, np.random.default_rng(0)))
    assert steps == pytest.approx(12936 / 6, rel=0.05)
    shared = dict.fromkeys(METHODS, steps)
    assert found.workloads == (Workload("market1501", "published", 12936, shared, 19281),)
    assert found.unknown == ()
    assert found.pretraining_hours == 0.0


def test_with_an_index_the_steps_are_those_of_the_sampler(tmp_path):
    tiny.draw_market(tmp_path / "images", train_people=5)
    path = tmp_path / "market1501/index.parquet"
    build_index("market1501", "market1501", tmp_path / "images", path, tmp_path / "pixels.npy")
    (found,) = estimate(profile(), "cpu", 1, tmp_path).workloads
    labels = read_index(path).split("train").labels
    steps = len(people_batches(labels, 3, 2, np.random.default_rng(1)))
    assert found == Workload("market1501", "index", 20, dict.fromkeys(METHODS, steps), 9)


def test_drawn_data_and_layouts_without_published_sizes(tmp_path):
    drawn = profile(**{"datasets.market1501.render": tiny.RENDER, "start": PRETRAINING})
    found = estimate(drawn, "cpu", 1, tmp_path)
    shared = dict.fromkeys(METHODS, 1)
    assert found.workloads == (Workload("market1501", "settings", 8, shared, 12),)
    assert found.pretraining_hours > 0
    unknown = profile()
    layout = unknown.datasets["market1501"].model_copy(update={"layout": "cuhk03-classic-labeled"})
    unknown = unknown.model_copy(update={"datasets": {"street": layout}})
    found = estimate(unknown, "cpu", 1, tmp_path)
    assert (found.workloads, found.unknown) == ((), ("street",))
    assert "tell their size: street." in list(lines(found, unknown, "tiny", "here", "cpu"))[-1]


def test_a_batch_that_takes_too_long_is_cut_and_the_time_extrapolated(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CPU_SECONDS", 0.0)
    large = profile(**{"scale.people": 20})
    found = estimate(large, "cpu", None, tmp_path)
    assert {each.timed_images for each in found.timings} == {4}
    text = "\n".join(lines(found, large, "tiny", "here", "cpu"))
    assert "4, extrapolated to 40" in text


def test_counted_memory_grows_with_the_batch_and_holds_the_weights(tmp_path):
    small, large = (
        estimate(profile(**{"scale.people": people}), "cpu", None, tmp_path) for people in (4, 40)
    )
    one, other = small.timings[0].memory_bytes, large.timings[0].memory_bytes
    method = chosen(profile(), "", "baseline")
    network = module.build(method.method, method.recipe, 64, profile().scale)
    fixed = 16 * sum(each.numel() for each in network.parameters())
    assert one > fixed
    # Ten times the batch keeps ten times the activations.
    assert (other - fixed) / (one - fixed) == pytest.approx(10, rel=0.02)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of CUDA")
def test_a_methods_memory_on_a_gpu_does_not_depend_on_the_one_before(tmp_path):
    changes = {"hardware": {"device": "cuda"}, "scale.people": 64}
    alone = estimate(profile(**changes, methods=["baseline"]), "cuda", 1, tmp_path)
    after = estimate(profile(**changes, methods=["top-db-net", "baseline"]), "cuda", 1, tmp_path)
    assert after.timings[0].memory_bytes > after.timings[1].memory_bytes
    assert after.timings[1].memory_bytes == alone.timings[0].memory_bytes


def timing(name: str, seconds: float, speed: float, memory: int = 1, passes: int = 2) -> Timing:
    return Timing(name, 6, passes, seconds, 6, memory, speed)


def test_hours_are_worked_out_by_hand():
    timings = (timing("baseline", 0.5, 10.0, 3 * 2**30), timing("top-db-net", 1.0, 20.0))
    steps = dict.fromkeys(METHODS, 3600)
    workloads = (Workload("market1501", "published", 12936, steps, 36000),)
    found = Estimate(timings, workloads, (), pretraining_hours=1.0)
    # Two epochs of 3600 steps: 1 and 2 hours; 36,000 images: 1 and 0.5 hours.
    assert found.run_hours(timings[0], workloads[0], trained=True) == pytest.approx(2.0)
    assert found.run_hours(timings[1], workloads[0], trained=True) == pytest.approx(2.5)
    text = list(lines(found, profile(), "tiny", "a GPU", "cuda"))
    assert text[0] == "Profile tiny on a GPU."
    own = {line.split()[0]: line for line in text if line.startswith(METHODS)}
    assert own["baseline"].split() == ["baseline", "2.0", "h"]
    assert own["top-db-net"].split() == ["top-db-net", "2.5", "h"]
    timed = next(line for line in text if line.startswith("baseline"))
    assert timed.split()[:3] == ["baseline", "6", "2"]  # batch and passes
    assert text[-1] == (  # two seeds of each method, and the pretraining
        "The whole grid: 4 runs, 10.0 h of one GPU (training and extraction, and the pretraining)."
    )


def test_tests_on_other_data_sets_are_counted_as_extractions():
    settings = {"layout": "market1501", "root": "data"}
    changes = {"datasets": {"north": settings, "south": settings}, "test_on": {"north": ["south"]}}
    timings = (timing("baseline", 0.5, 10.0), timing("top-db-net", 1.0, 20.0))
    steps = dict.fromkeys(METHODS, 0)
    sizes = {"north": 36000, "south": 72000}
    workloads = tuple(Workload(name, "index", 1, steps, size) for name, size in sizes.items())
    found = Estimate(timings, workloads, (), 0.0)
    wanted = profile(**changes)
    assert found.crossing_hours(timings[0], wanted) == pytest.approx([2.0])
    # By seed: 1 + 2 hours and 0.5 + 1 where they were trained, and 2 + 1 on the other data set.
    last = list(lines(found, wanted, "tiny", "here", "cpu"))[-1]
    assert "8 runs, 15.0 h of one process (training and extraction, and 4 extractions on" in last


def test_methods_with_their_own_batches_and_passes_have_their_own_hours():
    timings = (timing("baseline", 1.0, 1e9), timing("top-db-net", 1.0, 1e9, passes=6))
    steps = {"baseline": 3600, "top-db-net": 1800}
    workload = Workload("market1501", "published", 12936, steps, 1)
    found = Estimate(timings, (workload,), (), 0.0)
    hours = [found.run_hours(each, workload, trained=True) for each in timings]
    assert hours == pytest.approx([2.0, 3.0])


def test_imported_weights_are_only_extracted():
    changes = {"weights": {"market1501": {"baseline": "x"}}, "seeds": [0], "methods": ["baseline"]}
    workloads = (Workload("market1501", "published", 12936, {"baseline": 3600}, 36000),)
    found = Estimate((timing("baseline", 0.5, 10.0),), workloads, (), 0.0)
    last = list(lines(found, profile(**changes), "tiny", "here", "cpu"))[-1]
    assert "1 runs, 1.0 h of one process (extraction alone" in last


def test_a_method_is_as_it_was_after_it_was_timed(tmp_path, monkeypatch):
    """Timing borrows the method's recipe and batches."""
    seen = []
    timed = module._time

    def noted(name, network, *rest):
        before = network.recipe, network.batches
        found = timed(name, network, *rest)
        seen.append(before == (network.recipe, network.batches))
        return found

    monkeypatch.setattr(module, "_time", noted)
    estimate(profile(), "cpu", 1, tmp_path)
    assert seen == [True, True]


def test_the_command_prints_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tiny.write_params(tmp_path, {"hardware": {"device": "cuda"}})
    assert tiny.topdb(monkeypatch, "estimate", "--device", "cpu", "--steps", "2") == 0
    told = capsys.readouterr().out
    assert told.startswith("The profile trains on cuda; these are the seconds of cpu.")
    assert "The whole grid: 4 runs" in told
    assert tiny.topdb(monkeypatch, "estimate", "--device", "tpu") == 2
    assert "name cpu or cuda" in capsys.readouterr().err


@pytest.mark.parametrize("method", MINI.methods)
def test_every_method_can_be_timed_whatever_its_batches_are(method, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CPU_SECONDS", 0.0)
    alone = MINI.model_copy(update={"methods": (method,), "start": None})
    found = estimate(alone, "cpu", None, tmp_path)
    (timed,) = found.timings
    assert timed.step_seconds > 0
    assert timed.memory_bytes > 0
    assert {method} == {name for each in found.workloads for name in each.steps}
    assert all(each.steps[method] > 0 for each in found.workloads)


def test_the_papers_batch_needs_several_gib():
    """Counted on the real network at its real size, one forward pass of eight images."""
    paper = load(tiny.ROOT / "params.yaml").selected("paper")
    method = chosen(paper, "market1501", "top-db-net")
    network = module.build(method.method, method.recipe, 64, paper.scale)
    on_cpu = HardwareSettings(device="cpu", channels_last=False, fused=False)
    assert on_cpu == paper.hardware.model_copy(update={"device": "cpu"})
    counted = module._counted_memory(network, on_cpu) / 2**30
    assert 4 < counted < 12
    assert not math.isnan(counted)
