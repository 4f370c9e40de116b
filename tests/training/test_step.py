import pytest
import torch

from topdb.methods import build
from topdb.methods.parts.network import initialise
from topdb.params import NetworkSettings, TrainingSettings
from topdb.training.optimiser import Adam
from topdb.training.placement import Placement
from topdb.training.step import forward_pass, train_step
from topdb.training.transforms import augment

SMALL = NetworkSettings(
    backbone="small",
    height=48,
    width=16,
    bottleneck_width=4,
    global_features=8,
    drop_features=12,
)


def settings(**changes) -> TrainingSettings:
    values = {
        "epochs": 2,
        "people_per_batch": 2,
        "images_per_person": 2,
        "schedule": {"kind": "cosine", "base": 0.01, "warmup_epochs": 1.0},
    }
    return TrainingSettings(**{**values, **changes})


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def network():
    built = build("top-db-net", SMALL, 4, "released")
    initialise(built, draws())
    return built.train()


def test_yaml_reads_off_as_false_and_both_are_off():
    assert settings(autocast=False).autocast == settings(autocast="off").autocast == "off"
    assert settings(autocast="bf16").autocast == "bf16"
    with pytest.raises(ValueError, match="autocast"):
        settings(autocast=True)


def test_autocast_computes_in_bfloat16_and_gives_the_losses_float32():
    images = torch.rand(4, 3, 48, 16, generator=draws())
    seen = []
    cast = network()
    cast.bottlenecks.register_forward_hook(lambda module, given, out: seen.append(out.dtype))
    plain = forward_pass(network(), settings())(images, draws())
    rounded = forward_pass(cast, settings(autocast="bf16"))(images, draws())
    assert seen == [torch.bfloat16]
    for one, other in zip(plain, rounded, strict=True):
        assert other.features.dtype == other.logits.dtype == torch.float32
        assert not torch.equal(one.features, other.features)
    # The last stream: a rounded map may drop other rows, and batch normalisation magnifies.
    torch.testing.assert_close(plain[2].features, rounded[2].features, rtol=0.1, atol=0.05)


@pytest.mark.parametrize("autocast", ["off", "bf16"])
def test_steps_lower_the_loss(autocast):
    built = network()
    chosen = settings(autocast=autocast)
    optimiser = Adam(built.parameters(), chosen.betas, chosen.weight_decay)
    images = torch.rand(8, 3, 48, 16, generator=draws())
    labels = torch.arange(4).repeat_interleave(2)
    forward = forward_pass(built, chosen)
    losses = [
        float(train_step(forward, optimiser, images, labels, 0.01, chosen, draws())[0].detach())
        for _ in range(12)
    ]
    assert losses[-1] < losses[0] - 1.0
    assert all(each.dtype == torch.float32 for each in built.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of CUDA")
@pytest.mark.parametrize("fused", [True, False])
def test_no_step_waits_for_the_gpu(fused):
    chosen = settings(device="cuda", fused=fused)
    place, built = Placement.of(chosen), network()
    place.network(built)
    optimiser = Adam(built.parameters(), chosen.betas, chosen.weight_decay, chosen.fused)
    forward = forward_pass(built, chosen)
    images = place.pinned(torch.randint(0, 256, (8, 3, 48, 16)).to(torch.uint8))
    labels = place.pinned(torch.arange(4).repeat_interleave(2))
    try:
        for mode in ("default", "error"):
            torch.cuda.set_sync_debug_mode(mode)
            moved = augment(place.tensor(images), chosen.augmentation, draws())
            given = place.images(moved), place.tensor(labels)
            train_step(forward, optimiser, *given, 0.01, chosen, draws())
    finally:
        torch.cuda.set_sync_debug_mode("default")
