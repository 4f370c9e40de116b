import pytest
import torch
from factories import START, network, recipe_of

from topdb.config import HardwareSettings
from topdb.engine.batches import Placement
from topdb.engine.loop import forward_pass, train_step
from topdb.engine.state import Optimisers
from topdb.methods.contract import Adam, Milestones
from topdb.methods.parts.augmentation import augmented

settings = HardwareSettings


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def built():
    """Top-DB-Net with starting weights and a rate that stays the same."""
    still = {"rules": {"network": Adam(0.01)}, "schedule": Milestones()}
    return network("top-db-net", recipe_of(**still)).train()


def test_yaml_reads_off_as_false_and_both_are_off():
    assert settings(autocast=False).autocast == settings(autocast="off").autocast == "off"
    assert settings(autocast="bf16").autocast == "bf16"
    with pytest.raises(ValueError, match="autocast"):
        settings(autocast=True)


def test_autocast_computes_in_bfloat16_and_gives_the_losses_float32():
    images = torch.rand(4, 3, 48, 16, generator=draws())
    seen = []
    cast = built()
    cast.bottlenecks.register_forward_hook(lambda module, given, out: seen.append(out.dtype))
    plain = forward_pass(built(), settings())(images, START, draws())
    rounded = forward_pass(cast, settings(autocast="bf16"))(images, START, draws())
    assert seen == [torch.bfloat16]
    assert plain.keys() == rounded.keys()
    assert len(plain) == 6
    for name in plain:
        assert rounded[name].dtype == torch.float32
        assert not torch.equal(plain[name], rounded[name])
    # The last stream: a rounded map may drop other rows, and batch normalisation magnifies.
    name = "regularization_features"
    torch.testing.assert_close(plain[name], rounded[name], rtol=0.1, atol=0.05)


def test_whole_numbers_stay_whole_under_autocast():
    class Counting(torch.nn.Module):
        def forward(self, images, moment, generator):
            return {"places": torch.arange(3), "map": images.mean(dim=1).bfloat16()}

    outputs = forward_pass(Counting(), settings(autocast="bf16"))(torch.ones(2, 3), START, draws())
    assert {name: each.dtype for name, each in outputs.items()} == {
        "places": torch.int64,
        "map": torch.float32,
    }


@pytest.mark.parametrize("autocast", ["off", "bf16"])
def test_steps_lower_the_loss(autocast):
    own = built()
    optimisers = Optimisers(own, fused=True)
    images = torch.rand(8, 3, 48, 16, generator=draws())
    labels = torch.arange(4).repeat_interleave(2)
    forward = forward_pass(own, settings(autocast=autocast))
    losses = [
        float(train_step(own, forward, optimisers, images, labels, START, draws())[0].detach())
        for _ in range(12)
    ]
    assert losses[-1] < losses[0] - 1.0
    assert all(each.dtype == torch.float32 for each in own.parameters())


def test_the_whole_gradient_is_cut_to_the_recipes_length():
    images, labels = torch.rand(8, 3, 48, 16, generator=draws()), torch.arange(8) // 2
    norms = {}
    for clip in (None, 0.5, 1e9):
        own = built()
        own.recipe = recipe_of(clip=clip)
        optimisers = Optimisers(own, fused=True)
        train_step(own, forward_pass(own, settings()), optimisers, images, labels, START, draws())
        gradients = [each.grad.flatten() for each in own.parameters()]
        norms[clip] = torch.cat(gradients).norm().item()
    assert norms[None] > 1.0
    assert norms[0.5] == pytest.approx(0.5, rel=1e-3)
    assert norms[1e9] == norms[None]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of CUDA")
@pytest.mark.parametrize("fused", [True, False])
def test_no_step_waits_for_the_gpu(fused):
    chosen = settings(device="cuda", fused=fused)
    place, own = Placement.of(chosen), built()
    place.network(own)
    optimisers = Optimisers(own, fused)
    forward = forward_pass(own, chosen)
    images = place.pinned(torch.randint(0, 256, (8, 3, 48, 16)).to(torch.uint8))
    labels = place.pinned(torch.arange(4).repeat_interleave(2))
    try:
        for mode in ("default", "error"):
            torch.cuda.set_sync_debug_mode(mode)
            moved = augmented(place.tensor(images), own.recipe.augmentation, draws(), START)
            given = place.images(moved), place.tensor(labels)
            train_step(own, forward, optimisers, *given, START, draws())
    finally:
        torch.cuda.set_sync_debug_mode("default")
