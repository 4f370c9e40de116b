"""Looking at a training: what is kept, and that nothing of the training changes."""

import signal
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch
from factories import network as small_network
from factories import short

from topdb.config import Profile, RankingSettings
from topdb.datasets.building import build_index
from topdb.datasets.index import Pixels
from topdb.engine.batches import resized
from topdb.engine.progress import Stop
from topdb.errors import StoppedError, UserError
from topdb.files import digest
from topdb.methods.parts.augmentation import normalise
from topdb.results.evaluation import read_metrics
from topdb.results.features import read_features
from topdb.results.records import read_record
from topdb.results.runs import Run
from topdb.results.snapshots import read_snapshots
from topdb.runs.evaluate import evaluate
from topdb.runs.extraction import extract_run
from topdb.runs.train import train_run
from topdb.runs.watching import chosen_queries, look_at


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four training and three test people as images, their index and pixels."""
    folder = tmp_path_factory.mktemp("looking")
    tiny.draw_market(folder / "images")
    index = build_index(
        "market1501", "market1501", folder / "images", folder / "index", folder / "pixels"
    )
    return SimpleNamespace(folder=folder, index=index, pixels=Pixels.open(folder / "pixels", index))


def profile(**changes) -> Profile:
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return Profile.model_validate(tiny.content(dotted)["profiles"]["tiny"])


def train(data, out, method="top-db-net", seed=1, stop=None, **changes):
    run = Run("market1501", method, seed)
    folder = data.folder / out
    train_run(
        run,
        "tiny",
        profile(**changes),
        data.index,
        data.pixels,
        None,
        folder,
        stop=stop,
    )
    return folder


def looking(data, path, method="top-db-net", **changes):
    watching = profile(**changes)
    passes = watching.scale.epochs
    run = Run("market1501", method, 1)
    return look_at(path, run, watching, data.index, data.pixels, passes)


def network(method="top-db-net", seed=0):
    return small_network(method, short(method), seed=seed)


@pytest.mark.parametrize("method", ["baseline", "top-db-net"])
def test_looking_changes_no_bit_of_a_training(data, method):
    watched = train(data, f"watched-{method}", method)
    alone = train(data, f"alone-{method}", method, snapshots={"methods": []})
    assert (watched / "snapshots.npz").is_file()
    assert not (alone / "snapshots.npz").exists()
    for name in ("weights.safetensors", "features.npz"):
        assert digest(watched / name) == digest(alone / name)


def test_only_the_chosen_seed_is_looked_at(data):
    folder = train(data, "once-chosen", seed=2, snapshots={"seed": 2})
    assert (folder / "snapshots.npz").is_file()
    assert train(data, "once-chosen", seed=2) == folder
    assert not (folder / "snapshots.npz").exists()


@pytest.mark.parametrize("rate", [1e8, 1e30])
def test_a_training_that_diverges_is_looked_at_scored_and_marked(data, rate, capsys):
    """A finite divergence is scored; where nothing is a number all features are equal."""
    wild = {"images": 2, "rules": {"network": {"rate": rate}}}
    folder = train(data, f"wild-{rate}", "baseline", changes={"baseline": {"all": wild}})
    record = read_record(folder / "run.json")
    assert record.diverged.epoch == 1
    assert f"market1501/baseline/seed-1 diverged, for {record.diverged}" in capsys.readouterr().err
    assert read_snapshots(folder / "snapshots.npz").epochs.tolist() == [1, 2]
    summary = evaluate(folder / "features.npz", "plain", RankingSettings(), folder / "plain", 1)
    assert summary.collapsed == (rate == 1e30)
    assert read_metrics(folder / "plain/metrics.json").collapsed == summary.collapsed
    features = digest(folder / "features.npz")
    extract_run(folder, data.index, data.pixels, folder / "again.npz", None)
    assert digest(folder / "again.npz") == features


def test_the_last_snapshot_ranks_as_the_runs_own_features_do(data):
    folder = train(data, "ranked")
    snapshots, features = (
        read_snapshots(folder / "snapshots.npz"),
        read_features(folder / "features.npz"),
    )
    assert snapshots.epochs.tolist() == [1, 2]
    assert snapshots.queries == 3
    for place, path in enumerate(snapshots.paths[:3]):
        row = features.query_paths.tolist().index(path)
        away = ((features.gallery_features - features.query_features[row]) ** 2).sum(axis=1)
        same = features.gallery_pids == features.query_pids[row]
        away[same & (features.gallery_camids == features.query_camids[row])] = np.inf
        nearest = np.argsort(away, kind="stable")[:3]
        assert snapshots.paths[snapshots.ranked[-1, place]].tolist() == (
            features.gallery_paths[nearest].tolist()
        )
        assert snapshots.right[-1, place].tolist() == same[nearest].tolist()


def test_maps_are_the_bottlenecks_output_and_masks_drop_its_top_rows(data, tmp_path):
    path = tmp_path / "snapshots.npz"
    seen = network().train()
    looking(data, path)(1, seen)
    assert all(module.training for module in seen.modules())
    snapshots = read_snapshots(path)
    rows = [data.index.paths.index(name) for name in snapshots.paths[:3]]
    images = normalise(resized(data.pixels, np.array(rows), seen.recipe.size))
    with torch.inference_mode():
        features = seen.eval().feature_map(images).numpy().astype(np.float64)
    expected = (features**2).sum(axis=1)
    expected /= np.sqrt((expected**2).sum(axis=(1, 2)))[:, None, None]
    np.testing.assert_allclose(snapshots.activation[0], expected, rtol=1e-4, atol=1e-6)
    # 48 rows over stride 8 are 6; a third of them is dropped: the two with the largest maximum.
    assert snapshots.keep.shape == (1, 3, 6)
    for keep, activation in zip(snapshots.keep[0], expected, strict=True):
        dropped = np.argsort(activation.max(axis=1))[-2:]
        assert sorted(np.flatnonzero(~keep)) == sorted(dropped)


def test_a_random_block_is_shared_and_a_method_that_drops_nothing_keeps_every_row(data, tmp_path):
    for method, dropped in (("baseline", 2), ("no-drop", 0)):
        path = tmp_path / f"{method}.npz"
        looking(data, path, method, methods=[method], snapshots={"methods": [method]})(
            1, network(method)
        )
        keep = read_snapshots(path).keep[0]
        assert (keep == keep[0]).all()
        assert (~keep[0]).sum() == dropped


def test_images_are_the_data_sets_own_at_one_size(data, tmp_path):
    path = tmp_path / "snapshots.npz"
    looking(data, path)(1, network())
    snapshots = read_snapshots(path)
    assert snapshots.images.shape[1:] == (128, 64, 3)
    assert path.stat().st_size < 300_000
    for name, image in zip(snapshots.paths, snapshots.images, strict=True):
        native = data.pixels[data.index.paths.index(name)]
        assert np.abs(image.mean(axis=(0, 1)) - native.mean(axis=(0, 1))).max() < 3


def test_only_the_chosen_epochs_are_kept_and_a_resumed_training_takes_them_anew(data, tmp_path):
    path = tmp_path / "snapshots.npz"
    changes = {"scale__epochs": 6, "snapshots": {"epochs": [2, 4, 5]}}
    before = looking(data, path, **changes)
    for epoch in range(1, 6):
        before(epoch, network(seed=epoch))
    whole = path.read_bytes()
    assert read_snapshots(path).epochs.tolist() == [2, 4, 5]
    after = looking(data, path, **changes)
    after(3, network(seed=3))
    assert path.read_bytes() == whole
    after(4, network(seed=4))
    assert read_snapshots(path).epochs.tolist() == [2, 4]
    after(5, network(seed=5))
    assert path.read_bytes() == whole


def test_default_epochs_are_the_first_the_middle_and_the_last():
    def epochs(count: int) -> tuple[int, ...]:
        assert profile(scale__epochs=count).watch.epochs is None
        return profile(scale__epochs=count).watch.of(count)

    assert epochs(5) == (1, 3, 5)
    assert epochs(400) == (1, 200, 400)
    assert epochs(2) == (1, 2)


def test_an_epoch_that_the_training_does_not_have_is_told_before_it_begins(data):
    said = r"snapshots\.epochs names 3, and the training of top-db-net has 2: name epochs that it"
    with pytest.raises(UserError, match=said):
        # The recipe alone says how long it takes; where the scale does, the parameters are refused.
        train(data, "later", scale__epochs=None, snapshots={"epochs": [1, 3]})
    assert not (data.folder / "later/history.csv").exists()
    assert not list(data.folder.glob("later/checkpoints/*"))


def test_queries_are_spread_over_people_who_can_be_found(data):
    index = data.index

    def chosen(**settings) -> list[str]:
        positions = chosen_queries(index, profile(snapshots=settings).watch)
        return [index.split("query").paths[position] for position in positions]

    every = list(index.split("query").paths)
    assert chosen(queries=9) == every
    assert chosen(queries=2) == [every[0], every[2]]
    assert chosen(query_paths=[every[1]]) == [every[1]]
    with pytest.raises(UserError, match=r"names nobody\.jpg.*name one such as query/0101"):
        chosen(query_paths=["nobody.jpg"])


def test_a_query_that_no_other_camera_shows_is_not_chosen(data):
    gallery = data.index.split("gallery")
    camids = data.index.camids.copy()
    camids[gallery.rows[gallery.pids == 102]] = 0  # as the queries: all of them junk
    lone = SimpleNamespace(
        name="lone",
        split=lambda name: SimpleNamespace(
            paths=data.index.split(name).paths,
            pids=data.index.split(name).pids,
            camids=camids[data.index.split(name).rows],
        ),
    )
    found = chosen_queries(lone, profile(snapshots={"queries": 5}).watch)
    assert data.index.split("query").pids[found].tolist() == [101, 103]
    camids[gallery.rows] = 0
    with pytest.raises(UserError, match="no query of lone has a match under another camera"):
        chosen_queries(lone, profile().watch)


def test_the_wrong_query_is_said_before_the_training_begins(data):
    with pytest.raises(UserError, match="snapshots.query_paths names x.jpg"):
        train(data, "wrong", snapshots={"query_paths": ["x.jpg"]})
    assert not (data.folder / "wrong/history.csv").exists()


def test_a_stopped_training_goes_on_and_ends_with_the_same_snapshots(data):
    changes = {
        "scale__epochs": 4,
        "hardware": {"checkpoint_seconds": 0.0},
        "snapshots": {"epochs": [1, 2, 4]},
    }
    whole = train(data, "whole", **changes)

    class AfterTheSecond(Stop):
        @property
        def asked(self):
            (history,) = data.folder.glob("stopped/checkpoints/*-history.csv")
            if len(history.read_text().splitlines()) == 3:
                self.receive(signal.SIGTERM, None)
            return super().asked

    with pytest.raises(StoppedError):
        train(data, "stopped", stop=AfterTheSecond(), **changes)
    path = data.folder / "stopped/snapshots.npz"
    # The workflow clears declared outputs away before it starts a job again.
    assert not path.exists()
    (kept,) = path.parent.glob("checkpoints/*-snapshots.npz")
    assert read_snapshots(kept).epochs.tolist() == [1, 2]
    train(data, "stopped", **changes)
    assert not kept.exists()
    assert path.read_bytes() == (whole / "snapshots.npz").read_bytes()
    assert digest(path.with_name("weights.safetensors")) == digest(whole / "weights.safetensors")
