"""Trainings that are interrupted and go on: the bits are those of one that was not."""

import contextlib
import json
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from factories import network, short

from topdb.config import HardwareSettings
from topdb.datasets.building import build_index
from topdb.engine.checkpoint import Checkpoints
from topdb.engine.loop import fit, position_of
from topdb.engine.progress import Moment, Stop
from topdb.engine.state import Randomness
from topdb.errors import StoppedError, UserError
from topdb.files import digest
from topdb.methods.contract import SGD, Adam, Milestones
from topdb.results.runs import RunFiles

LABELS = np.repeat(np.arange(4), 4)
KILLS = 10
EPOCHS = 60


def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (16, 3, 48, 16), generator=generator).to(torch.uint8)


def checkpoints(folder: Path, identity: str = "this run", every: float = 1e9) -> Checkpoints:
    return Checkpoints(folder, {"identity": identity}, every, "a processor")


class Training:
    """One process's part of a training, up to a number of steps."""

    def __init__(self, folder: Path, method="baseline", every=1e9, recipe=None, **hardware) -> None:
        parts = {"epochs": 3, "people": 2, "images": 2, **(recipe or {})}
        self.network = network(method, short(method, **parts))
        self.kept = checkpoints(folder, every=every)
        self.hardware = HardwareSettings(**hardware)
        self.taken_up = self.kept.take_up()
        self.stop = Stop()
        self.told = []

    def run(self, steps: int | None = None, poison_at: int | None = None):
        left = iter(range(10_000))

        def count(moment: Moment) -> None:
            done = next(left) + 1
            if done == steps:
                self.stop.receive(signal.SIGTERM, None)
            if done == poison_at:
                with torch.no_grad():
                    self.network.drop_head.classifier.weight[0, 0] = torch.nan

        return fit(
            self.network,
            images(),
            LABELS,
            self.hardware,
            Randomness("d", "m", 1),
            self.told.append,
            checkpoints=self.kept,
            taken_up=self.taken_up,
            stop=self.stop,
            progress=count,
        )


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    others = second.state_dict()
    return all(torch.equal(each, others[name]) for name, each in first.state_dict().items())


OTHERS = {
    "SGD": {"rules": {"network": SGD(0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)}},
    "AMSGrad": {"rules": {"network": Adam(0.01, amsgrad=True)}},
    "optimisers that forget": {"fresh": (0.0, 1.2, 2.0)},
    "a faster clock": {"epochs": 12, "passes": 3, "schedule": Milestones(at=(5, 6), warmup=2)},
    "a gradient that is cut": {"clip": 0.5},
}


@pytest.mark.parametrize("recipe", OTHERS.values(), ids=OTHERS)
def test_whatever_the_recipe_says_a_training_can_stop_at_every_step(recipe, whole, tmp_path):
    undisturbed = Training(tmp_path / "whole", recipe=recipe)
    epochs = undisturbed.run()
    assert not same(whole, undisturbed.network)
    resumed = None
    while resumed is None:
        part = Training(tmp_path / "parts", recipe=recipe)
        with contextlib.suppress(StoppedError):
            resumed = part.run(1)
    assert len(part.kept.resumed) > 6
    assert same(undisturbed.network, part.network)
    assert [epoch.losses for epoch in resumed] == [epoch.losses for epoch in epochs]
    assert [epoch.learning_rate for epoch in resumed] == [each.learning_rate for each in epochs]


@pytest.mark.parametrize("method", ["baseline", "top-db-net"])
def test_after_every_step_a_training_can_stop_and_go_on(method, tmp_path):
    whole = Training(tmp_path / "whole", method)
    epochs = whole.run()
    for steps in range(1, 40):
        first = Training(tmp_path / str(steps), method)
        try:
            first.run(steps)
            break
        except StoppedError:
            pass
        second = Training(tmp_path / str(steps), method)
        resumed = second.run()
        assert same(whole.network, second.network)
        assert [epoch.losses for epoch in resumed] == [epoch.losses for epoch in epochs]
        assert [epoch.number for epoch in first.told + second.told] == [1, 2, 3]
    assert steps > 6


def test_a_training_stopped_at_every_step_is_the_same_too(tmp_path):
    whole = Training(tmp_path / "whole", recipe={"epochs": 2})
    epochs = whole.run()
    stops, resumed = 0, None
    while resumed is None:
        part = Training(tmp_path / "parts", recipe={"epochs": 2})
        try:
            resumed = part.run(1)
        except StoppedError:
            stops += 1
    assert stops > 6
    assert same(whole.network, part.network)
    assert [epoch.losses for epoch in resumed] == [epoch.losses for epoch in epochs]
    assert len(part.kept.resumed) == stops


def test_without_the_fused_step_a_training_goes_on_too(whole, tmp_path):
    other = Training(tmp_path / "whole", fused=False)
    other.run()
    with pytest.raises(StoppedError):
        Training(tmp_path / "parts", fused=False).run(4)
    second = Training(tmp_path / "parts", fused=False)
    second.run()
    assert same(other.network, second.network)
    assert not same(whole, other.network)  # it rounds otherwise


def test_no_global_generator_has_a_part_in_it(tmp_path):
    training = Training(tmp_path)
    before = torch.get_rng_state(), random.getstate()
    training.run()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]


def test_the_seconds_of_an_interrupted_epoch_add_up(tmp_path):
    with pytest.raises(StoppedError):
        Training(tmp_path).run(1)
    second = Training(tmp_path)
    before = position_of(second.taken_up)
    assert (before.epoch, before.step) == (0, 1)
    epochs = second.run()
    assert epochs[0].seconds > before.seconds > 0


def test_other_workers_and_looks_change_no_bit(tmp_path):
    trainings = [
        Training(tmp_path / "plain"),
        Training(tmp_path / "threads", workers=2, log_every=1),
    ]
    for training in trainings:
        training.run()
    assert same(trainings[0].network, trainings[1].network)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training of the baseline that nothing interrupted."""
    training = Training(tmp_path_factory.mktemp("whole"))
    training.run()
    return training.network


def altered(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize("spoil", [altered, cut, Path.unlink])
@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_a_broken_checkpoint_gives_way_to_the_one_before(spoil, suffix, whole, tmp_path, capsys):
    with pytest.raises(StoppedError):
        Training(tmp_path / "run", every=0).run(4)
    newest = sorted(tmp_path.glob(f"run/checkpoints/*/*{suffix}"))[-1]
    spoil(newest)
    second = Training(tmp_path / "run", every=0)
    assert second.taken_up is not None
    warned = "is cut short or altered" in capsys.readouterr().err
    assert warned == (spoil is not Path.unlink or suffix == ".safetensors")
    assert newest.stem not in second.kept.resumed[0]["from"]
    second.run()
    assert same(whole, second.network)


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_a_checkpoint_that_cannot_be_read_just_now_is_kept(suffix, whole, tmp_path):
    with pytest.raises(StoppedError):
        Training(tmp_path / "run", every=0).run(4)
    newest = sorted(tmp_path.glob(f"run/checkpoints/*/*{suffix}"))[-1]
    content = newest.read_bytes()
    newest.unlink()
    newest.symlink_to(newest.name)  # opening it fails, and not since there is nothing
    with pytest.raises(
        UserError, match=r"cannot be read \(Too many .*links.*\) and is kept"
    ) as told:
        Training(tmp_path / "run", every=0)
    assert str(newest) in str(told.value)
    assert newest.is_symlink()
    newest.unlink()
    newest.write_bytes(content)
    second = Training(tmp_path / "run", every=0)
    assert second.kept.resumed[0]["from"] == newest.stem
    second.run()
    assert same(whole, second.network)


def test_a_folder_of_checkpoints_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path):
    with pytest.raises(StoppedError):
        Training(tmp_path, every=0).run(1)
    (folder,) = (tmp_path / "checkpoints").iterdir()
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(folder.name)
    with pytest.raises(UserError, match="cannot be read"):
        Training(tmp_path, every=0)


class AskedLate(Checkpoints):
    """Checkpoints during whose last look at the clock a request to end comes."""

    stop: Stop
    moment = "last"

    def due(self, last: bool) -> bool:
        found = super().due(last)
        if last or self.moment == "first":
            self.stop.receive(signal.SIGTERM, None)
            self.moment = "over"
        return found


@pytest.mark.parametrize("moment", ["first", "last"])
def test_a_request_that_comes_after_a_look_ends_the_training_with_a_checkpoint(
    moment, whole, tmp_path
):
    first = Training(tmp_path)
    first.kept = AskedLate(tmp_path, {"identity": "this run"}, 1e9, "a processor")
    first.kept.stop, first.kept.moment = first.stop, moment
    with pytest.raises(StoppedError, match="saved: the same command goes on"):
        first.run()
    second = Training(tmp_path)
    assert second.taken_up is not None
    assert (position_of(second.taken_up).epoch == 3) == (moment == "last")
    second.run()
    assert same(whole, second.network)


def test_two_checkpoints_are_kept_and_nothing_else(tmp_path):
    stray = tmp_path / "checkpoints"
    training = Training(tmp_path, every=0)
    with pytest.raises(StoppedError):
        training.run(3)
    (folder,) = stray.iterdir()
    (folder / ".epoch-00009-step-000001.safetensors.123.partial").write_bytes(b"killed")
    (folder / "epoch-00009-step-000001.safetensors").write_bytes(b"killed")
    with pytest.raises(StoppedError):
        Training(tmp_path, every=0).run(1)
    names = sorted(path.name for path in folder.iterdir())
    assert [name.partition(".")[2] for name in names] == ["json", "safetensors"] * 2


def test_checkpoints_of_another_run_are_left_alone_with_a_word(tmp_path, capsys):
    content = {"position": {}}
    nested = {"recipe": {"epochs": 5, "margin": 0.3}, "seed": 1}
    one = Checkpoints(tmp_path, nested, 0, "cpu")
    one.save("epoch-00001-step-000001", {"a": torch.zeros(1)}, content)
    other = Checkpoints(tmp_path, {**nested, "recipe": {"epochs": 6, "margin": 0.3}}, 0, "cpu")
    assert other.take_up() is None
    assert "another run (recipe.epochs): they are left alone" in capsys.readouterr().err
    other.save("epoch-00001-step-000001", {"a": torch.ones(1)}, content)
    again = Checkpoints(tmp_path, nested, 0, "cpu").take_up()
    assert again.tensors["a"] == 0
    run = RunFiles(tmp_path)
    for path in (run.weights, run.features, run.history, run.record):
        path.write_text(path.name)
    other.finish(run)
    (spare,) = (tmp_path / "checkpoints").iterdir()
    assert spare.name.endswith("-whole")
    assert {path.name for path in spare.iterdir()} == {path.name for path in tmp_path.glob("*.*")}


def test_another_processor_is_named(tmp_path, capsys):
    one = Checkpoints(tmp_path, {}, 0, "processor A")
    one.save("epoch-00001-step-000001", {"a": torch.zeros(1)}, {})
    other = Checkpoints(tmp_path, {}, 0, "processor B")
    assert other.take_up() is not None
    assert "was written on processor A, and this is processor B" in capsys.readouterr().err
    assert other.resumed == [{"from": "epoch-00001-step-000001", "device": "processor A"}]


def test_no_checkpoint_is_written_before_its_time(tmp_path):
    Training(tmp_path).run()
    assert not (tmp_path / "checkpoints").exists()


def test_a_broken_loss_keeps_the_last_good_checkpoint(tmp_path):
    training = Training(tmp_path, every=0)
    with pytest.raises(
        UserError, match=r"^network\.drop_head.* no longer finite after epoch 1, st"
    ):
        training.run(poison_at=2)
    assert position_of(Training(tmp_path).taken_up).step == 1

    late = Training(tmp_path / "late")
    with pytest.raises(UserError, match="drop_cross_entropy became NaN in epoch 1, step 3"):
        late.run(poison_at=2)
    assert not (tmp_path / "late/checkpoints").exists()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk takes more rights than this user has")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_a_training_and_the_last_checkpoint_serves(whole, small_disk):
    with pytest.raises(StoppedError):
        Training(small_disk / "run", every=0).run(2)
    filling = small_disk / "filling"
    with pytest.raises(OSError, match="No space left"), filling.open("wb", 0) as stream:
        while True:
            stream.write(bytes(4096))
    with pytest.raises(UserError, match=r"cannot be written \(.*[Nn]o space left.*make room"):
        Training(small_disk / "run", every=0).run()
    filling.unlink()
    second = Training(small_disk / "run", every=0)
    assert position_of(second.taken_up).name == "epoch-00001-step-000002"
    second.run()
    assert same(whole, second.network)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    changes = {"scale.epochs": EPOCHS, "hardware": {"checkpoint_seconds": 0.0}}
    changes["changes.baseline.all.epochs"] = EPOCHS
    tiny.write_params(folder, changes)
    tiny.draw_market(folder / "data/market1501")
    build_index(
        "market1501",
        "market1501",
        folder / "data/market1501",
        folder / "index.parquet",
        folder / "pixels.npy",
    )
    return folder


def start(project: Path, out: str) -> subprocess.Popen[str]:
    data = ("--index", "index.parquet", "--pixels", "pixels.npy")
    return tiny.start(project, "train", "market1501", "baseline", "1", *data, "--out", out)


def wait_for_a_checkpoint(folder: Path, process: subprocess.Popen, after: set[str]) -> None:
    ends = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < ends:
        if {path.name for path in folder.glob("checkpoints/*/*.json")} - after:
            return
        time.sleep(0.005)


@pytest.fixture(scope="module")
def uninterrupted(project):
    status, said = tiny.finish(start(project, "whole"))
    assert status == 0, said
    record = json.loads((project / "whole/run.json").read_text())
    return digest(project / "whole/weights.safetensors"), record["seconds"]["train"]


def test_a_process_killed_at_ten_random_moments_ends_with_the_same_bits(project, uninterrupted):
    expected, seconds = uninterrupted
    folder = project / "killed"
    moments = np.sort(np.random.default_rng().uniform(0.0, 0.6 * seconds, KILLS))
    delays = np.diff(moments, prepend=0.0)
    for delay in delays:
        process = start(project, "killed")
        known = {path.name for path in folder.glob("checkpoints/*/*.json")}
        wait_for_a_checkpoint(folder, process, known)
        time.sleep(delay)
        process.kill()
        status, said = tiny.finish(process)
        assert status == -signal.SIGKILL, f"over before it was killed; delays {delays}\n{said}"
    status, said = tiny.finish(start(project, "killed"))
    assert status == 0, said
    assert digest(folder / "weights.safetensors") == expected, f"delays {delays}"
    record = json.loads((folder / "run.json").read_text())
    assert 1 <= len(record["resumed"]) <= KILLS
    (spare,) = (folder / "checkpoints").iterdir()
    assert spare.name.endswith("-whole")
    assert len((folder / "history.csv").read_text().splitlines()) == 1 + EPOCHS


def test_a_scheduler_that_ends_a_process_can_queue_it_again(project, uninterrupted):
    folder = project / "ended"
    process = start(project, "ended")
    wait_for_a_checkpoint(folder, process, set())
    asked = time.monotonic()
    process.terminate()
    status, said = tiny.finish(process)
    assert time.monotonic() - asked < 10
    assert status == 128 + signal.SIGTERM
    assert "saved: the same command goes on from there" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert not (folder / "run.json").exists()
    status, said = tiny.finish(start(project, "ended"))
    assert status == 0, said
    assert "topdb: going on after epoch" in said
    assert digest(folder / "weights.safetensors") == uninterrupted[0]


def test_a_process_waits_for_one_that_was_left_behind_and_leaves_its_run_alone(project):
    folder = project / "twice"
    first = start(project, "twice")
    wait_for_a_checkpoint(folder, first, set())
    second = start(project, "twice")
    assert tiny.finish(first)[0] == 0
    status, said = tiny.finish(second)
    assert status == 0, said
    assert "topdb: waiting for another process that trains into twice" in said
    assert "twice is whole: the other process did this run" in said


def test_after_the_one_it_waited_for_was_killed_a_process_goes_on(project, uninterrupted):
    folder = project / "left"
    first = start(project, "left")
    wait_for_a_checkpoint(folder, first, set())
    second = start(project, "left")
    assert second.stderr is not None
    assert second.stderr.readline().startswith("topdb: waiting")
    first.kill()
    tiny.finish(first)
    status, said = tiny.finish(second)
    assert status == 0, said
    assert digest(folder / "weights.safetensors") == uninterrupted[0]
