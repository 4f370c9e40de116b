"""Training step and feature extraction of each competitor beside its released implementation.

    python benchmarks/methods.py --peers FOLDER --out benchmarks/methods.md

FOLDER holds checkouts of the released codes, which are no part of this repository:

    bot      michuanhaohao/reid-strong-baseline @3da7e6f
    osnet    KaiyangZhou/deep-person-reid @f8cd150
    mgn      levyfan/reid-mgn @62d3ded
    pyramid  TencentYoutuResearch/PersonReID-Pyramid @d793aa1
    pyrnet   iN1k1/deep-pyramidal-representations-person-re-identification @18eacd3
    abdnet   VITA-Group/ABD-Net @502305e
    mhn      chenbinghui1/MHN @4375c1a

One that is missing or cannot be run is left out with a word. All weights are random; nothing is
downloaded. Network, losses and optimiser are theirs, set up as their scripts do for Market-1501;
what their scripts write to the screen or into statistics is left out. Each measurement is a process
of its own with one thread; theirs and ours take turns (A B A B). The figure is the process's own
time, since a shared machine's clock is not: the best step of a process, the median of the rounds.
"""

import argparse
import functools
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
ROOT = Path(__file__).parents[1]
IDENTITIES = 751
WARM_UP, STEPS, ROUNDS = 1, 3, 3
EPOCH = 60
"""Of the recipe's clock: everything trains and every loss has begun; Pyramid shuffles."""
STEP, EXTRACTION = "training step", "feature extraction"
WANTED = {STEP: 1.15, EXTRACTION: 1.2}


@dataclass(frozen=True)
class Side:
    """One implementation, ready to run."""

    network: nn.Module
    step: Callable[[Tensor, Tensor], None]
    """Of images (B, 3, H, W) and people (B,)."""
    extract: Callable[[Tensor], object]
    """Of images; as the released code tests, with mirror images where it has them."""


def bot(folder: Path) -> Side:
    enter(folder)
    from layers import make_loss_with_center
    from modeling import build_model
    from solver.build import make_optimizer_with_center

    weight = 5e-4
    settings = SimpleNamespace(
        MODEL=SimpleNamespace(
            NAME="resnet50",
            LAST_STRIDE=1,
            PRETRAIN_PATH="",
            PRETRAIN_CHOICE="none",
            NECK="bnneck",
            METRIC_LOSS_TYPE="triplet_center",
            IF_LABELSMOOTH="on",
        ),
        DATALOADER=SimpleNamespace(SAMPLER="softmax_triplet"),
        SOLVER=SimpleNamespace(
            OPTIMIZER_NAME="Adam",
            BASE_LR=3.5e-4,
            BIAS_LR_FACTOR=1,
            WEIGHT_DECAY=5e-4,
            WEIGHT_DECAY_BIAS=5e-4,
            MARGIN=0.3,
            CENTER_LR=0.5,
            CENTER_LOSS_WEIGHT=weight,
        ),
        TEST=SimpleNamespace(NECK_FEAT="after"),
    )
    network = build_model(settings, IDENTITIES)
    loss, centers = make_loss_with_center(settings, IDENTITIES)
    optimisers = make_optimizer_with_center(settings, network, centers)

    def undo_weight() -> None:
        for each in centers.parameters():
            each.grad.data *= 1.0 / weight

    step = stepping(
        lambda images, people: loss(*network(images), people), *optimisers, before=undo_weight
    )
    return Side(network, step, torch.no_grad()(lambda images: normalize(network(images))))


def osnet(folder: Path) -> Side:
    models = load_file(folder / "torchreid/models/osnet.py")
    losses = load_file(folder / "torchreid/losses/cross_entropy_loss.py")
    network = models.osnet_x1_0(IDENTITIES, pretrained=False, loss="softmax")
    entropy = losses.CrossEntropyLoss(IDENTITIES, use_gpu=False, label_smooth=True)
    adam = torch.optim.Adam(network.parameters(), lr=1.5e-3, weight_decay=5e-4, amsgrad=True)
    step = stepping(lambda images, people: entropy(network(images), people), adam)
    return Side(network, step, torch.no_grad()(network.forward))


def mgn(folder: Path) -> Side:
    enter(folder / "mgn")  # its modules import `__init__` by that name
    from mgn import MGN
    from triplet import TripletSemihardLoss

    network = MGN(IDENTITIES)
    entropy, triplet = nn.CrossEntropyLoss(), TripletSemihardLoss(margin=1.2)
    sgd = torch.optim.SGD(network.parameters(), lr=1e-2, momentum=0.9, weight_decay=5e-4)

    def loss(images: Tensor, people: Tensor) -> Tensor:
        _, features, logits = network(images)
        losses = [triplet(each, people) for each in features]
        losses += [entropy(each, people) for each in logits]
        return sum(losses) / len(losses)

    def extract(images: Tensor) -> object:  # with the graph, as they do
        plain, mirrored = (network(each)[0].detach() for each in (images, images.flip(3)))
        return (plain + mirrored) / 2.0

    return Side(network, stepping(loss, sgd), extract)


def pyramid(folder: Path) -> Side:
    enter(folder / "src")  # its modules import `__init__` by that name
    from models import pcb_plus_dropout_pyramid as models
    from models import resnet
    from triplet import TripletLoss

    models.resnet101 = lambda pretrained, **options: resnet.resnet101(False, **options)
    network = models.PCB_plus_dropout_pyramid(num_classes=IDENTITIES)
    entropy, triplet = nn.CrossEntropyLoss(), TripletLoss(margin=1.4)
    new = [each for name, each in network.named_parameters() if not name.startswith("base.")]
    groups = [
        {"params": list(network.base.parameters()), "lr": 0.01},
        {"params": new, "lr": 0.1},
    ]
    sgd = torch.optim.SGD(groups, momentum=0.9, weight_decay=5e-4)

    def loss(images: Tensor, people: Tensor) -> Tensor:
        features, logits = network(images)
        identity = torch.stack([entropy(each, people) for each in logits]).sum()
        # Computed in every step, and part of the loss in every second epoch; not in this one.
        torch.stack([triplet(each, people) for each in features]).sum()
        return identity

    def extract(images: Tensor) -> object:  # with the graph and the classifiers, as they do
        return torch.cat(network(images)[0], dim=1).detach()

    return Side(network, stepping(loss, sgd), extract)


def pyrnet(folder: Path) -> Side:
    enter(folder)
    for name in ("skimage", "skimage.transform", "torchnet"):  # imported, and no number needs them
        sys.modules.setdefault(name, MagicMock())
    from src.pyrnet import model as models

    size = (3, *recipe_of("pyrnet").size)
    with torch.no_grad():  # it runs images as it is built, whose graph would only take memory
        network = models.get_model("densenet", 201, size, IDENTITIES, 512, 256, "max_pool")
    criterion = models.get_loss(use_triplet=True, alpha=0.05 + 0.95 * EPOCH / 100)
    criterion.forward_triplet_loss = lambda features: sum(
        each(*(features[part][place] for part in range(3)))
        for place, each in enumerate(criterion.triplet_losses)
    )
    emb = network.emb
    pyramids = [getattr(emb, f"pyr{number}") for number in range(1, 5)]
    bottlenecks = [getattr(emb, f"bottleneck{number}") for number in range(1, 5)]
    groups = [{"params": list(emb.base.parameters()), "lr": 0.01}]
    groups += [
        {"params": list(each.parameters()), "lr": 0.1}
        for each in (*pyramids, *bottlenecks, emb.classifier)
    ]
    sgd = torch.optim.SGD(groups, 0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)

    def loss(images: Tensor, people: Tensor) -> Tensor:
        return criterion(network(list(images.chunk(3))), people.chunk(3))

    def features(images: Tensor) -> list[Tensor]:
        seen = emb.forward_bottlenecks(emb.forward_features(images))
        emb.forward_classifier(seen)  # a whole pass, of which hooks keep the bottlenecks
        return [normalize(each) for each in seen]

    def extract(images: Tensor) -> object:
        return [features(images), features(images.flip(3))]

    return Side(network, stepping(loss, sgd), torch.no_grad()(extract))


def abdnet(folder: Path) -> Side:
    enter(folder)
    from args import argument_parser, optimizer_kwargs
    from torchreid import models
    from torchreid.losses.hard_mine_triplet_loss import TripletLoss
    from torchreid.losses.of_penalty import OFPenalty
    from torchreid.optimizers import init_optimizer
    from torchreid.regularizers import get_regularizer

    command = (  # of their guide
        "-s market1501 -t market1501 --flip-eval --label-smooth --criterion htri --lambda-htri 0.1 "
        "--margin 1.2 --height 384 --width 128 --optim adam --lr 0.0003 --arch resnet50 --use-of "
        "--abd-dan cam pam --abd-np 2 --shallow-cam --use-ow"
    )
    options = argument_parser().parse_args(command.split())
    built = models.init_model(
        name="resnet50", num_classes=IDENTITIES, loss={"xent"}, use_gpu=True, args=vars(options)
    )
    network = nn.DataParallel(built)  # O.W. asks for what it wraps; on a CPU it hands images on
    criterion = TripletLoss(IDENTITIES, vars(options), True)
    regularizer = get_regularizer(vars(options))
    penalty = OFPenalty(vars(options))
    adam = init_optimizer(built.parameters(), **optimizer_kwargs(options))

    def loss(images: Tensor, people: Tensor) -> Tensor:
        outputs = network(images)
        return criterion(outputs, people) + regularizer(network) + penalty(outputs)

    def extract(images: Tensor) -> object:
        return (network(images)[0] + network(images.flip(3))[0]) / 2.0

    return Side(network, stepping(loss, adam), torch.no_grad()(extract))


def mhn(folder: Path) -> Side:
    enter(folder)
    from losses import AdvDivLoss
    from model import MHN_smallPCB

    orders, stripes, alpha = 6, 3, 2.0
    network = MHN_smallPCB(IDENTITIES, orders, stripes)
    network.model.avgpool = network.model.fc = nn.Sequential()
    entropy, apart = nn.CrossEntropyLoss(), AdvDivLoss(parts=orders)
    known = set(network.model.parameters())
    groups = [
        {"params": list(network.model.parameters()), "lr": 0.01},
        {"params": [each for each in network.parameters() if each not in known], "lr": 0.1},
    ]
    sgd = torch.optim.SGD(groups, weight_decay=5e-4, momentum=0.9, nesterov=True)

    def loss(images: Tensor, people: Tensor) -> Tensor:
        logits, features = network(images)
        identity = sum(entropy(each, people) for each in logits) / orders
        return identity + alpha * sum(map(apart, features)) / stripes

    def extract(images: Tensor) -> object:  # with the graph, as they do
        total = torch.zeros(len(images), 256, stripes * orders)
        for each in (images, images.flip(3)):
            features = [part.detach() for part in network(each)[1]]
            total += torch.stack([one for part in features for one in part.chunk(orders)], dim=2)
        return normalize(total, dim=1).flatten(1) / (stripes * orders) ** 0.5

    clip = functools.partial(nn.utils.clip_grad_norm_, list(network.parameters()), 20)
    return Side(network, stepping(loss, sgd, before=clip), extract)


@dataclass(frozen=True)
class Peer:
    """A released implementation."""

    name: str
    """Ours of the method."""
    build: Callable[[Path], Side]
    file: str
    """One of theirs."""
    batch: int
    """Images, so few that a process takes about 2.5 GB; PyrNet cannot do with fewer."""


PEERS = {
    "bot": Peer("bot", bot, "modeling/baseline.py", 8),
    "osnet": Peer("osnet", osnet, "torchreid/models/osnet.py", 8),
    "mgn": Peer("mgn", mgn, "mgn/mgn.py", 4),
    "pyramid": Peer("pyramid", pyramid, "src/models/pcb_plus_dropout_pyramid.py", 4),
    "pyrnet": Peer("pyrnet", pyrnet, "src/pyrnet/model.py", 6),
    "abdnet": Peer("abd-net", abdnet, "torchreid/models/resnet.py", 2),
    "mhn": Peer("mhn", mhn, "model.py", 2),
}


def enter(folder: Path) -> None:
    """Let a peer's modules be imported under the names that they have for each other."""
    sys.path.insert(0, str(folder))


def load_file(path: Path) -> ModuleType:
    """A peer's module by its file: importing its package asks for much that no number needs."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stepping(
    loss: Callable[[Tensor, Tensor], Tensor],
    *optimisers: torch.optim.Optimizer,
    before: Callable[[], object] = lambda: None,
) -> Callable[[Tensor, Tensor], None]:
    """The step of all their scripts; `before` is called between gradient and update."""

    def step(images: Tensor, people: Tensor) -> None:
        for each in optimisers:
            each.zero_grad()
        loss(images, people).backward()
        before()
        for each in optimisers:
            each.step()

    return step


def without_gpu_and_network() -> None:
    """Let the peers' code build and run here: no pretrained weights, and `cuda` is the CPU."""
    import torchvision

    def here(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *values, device=None, **options: function(*values, **options)

    for name in ("rand", "randn", "eye"):
        setattr(torch, name, here(getattr(torch, name)))
    torch.Tensor.cuda = lambda self, *_, **__: self
    torch.utils.model_zoo.load_url = lambda *_, **__: {}

    def random(function: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        return lambda pretrained=False, **options: function(weights=None, **options)

    for module, names in (
        (torchvision.models.resnet, ("resnet50", "resnet101")),
        (torchvision.models.densenet, ("densenet121", "densenet201")),
    ):
        for name in names:
            replaced = random(getattr(module, name))
            setattr(module, name, replaced)
            setattr(torchvision.models, name, replaced)


def theirs(method: str, peers: Path) -> Side:
    torch.set_num_threads(1)
    without_gpu_and_network()
    sys.argv = sys.argv[:1]  # some of them read it
    return PEERS[method].build((peers / method).resolve())


def ours(method: str) -> Side:
    from topdb.config import load
    from topdb.engine.batches import Placement
    from topdb.engine.loop import forward_pass, train_step
    from topdb.engine.state import Optimisers
    from topdb.methods import build, find
    from topdb.methods.contract import Moment
    from topdb.runs.environment import prepare

    prepare("cpu", 1)
    hardware = load(ROOT / "params.yaml").selected("mini").hardware
    place = Placement.of(hardware)
    network = build(find(PEERS[method].name), recipe_of(method), IDENTITIES)
    network.initialise(torch.Generator().manual_seed(0))
    place.network(network)
    moment = Moment(EPOCH, EPOCH, EPOCH)
    network.begin(moment)
    optimisers, forward = Optimisers(network, hardware.fused), forward_pass(network, hardware)
    drawing = torch.Generator().manual_seed(0)

    def step(images: Tensor, people: Tensor) -> None:
        train_step(network, forward, optimisers, place.images(images), people, moment, drawing)

    @torch.inference_mode()
    def extract(images: Tensor) -> object:
        return network.embed(place.images(images)).cpu()

    return Side(network, step, extract)


def recipe_of(method: str):
    """The released recipe at its paper's size; that of MGN is `described`."""
    from topdb.methods import find
    from topdb.methods.contract.resolving import resolved

    name = PEERS[method].name
    return resolved(find(name), name, "released")


def people_of(method: str, batch: int | None) -> Tensor:
    """The people of a batch of about as many images: up to four of each, or triplets."""
    batch = batch or PEERS[method].batch
    if method == "pyrnet":
        anchors = torch.arange(max(2, batch // 3))
        return torch.cat((anchors, anchors, anchors + len(anchors)))
    return torch.arange(batch) * max(2, batch // 4) // batch


def measure(method: str, side: str, kind: str, options: argparse.Namespace) -> None:
    """Print the seconds of the best repetition, and the process's largest memory, as JSON."""
    torch.manual_seed(0)
    size, people = recipe_of(method).size, people_of(method, options.batch)
    images = torch.randn(len(people), 3, *size)
    built = ours(method) if side == "ours" else theirs(method, options.peers)
    built.network.train(kind == STEP)
    seconds = []
    for _ in range(WARM_UP + options.steps):
        began = time.process_time()
        if kind == STEP:
            built.step(images, people)
        else:
            built.extract(images)
        seconds.append(time.process_time() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({"seconds": min(seconds[WARM_UP:]), "mb": peak}))


def run(method: str, side: str, kind: str, options: argparse.Namespace) -> dict[str, float]:
    kept = {key: value for key, value in os.environ.items() if key not in UNSET}
    command = [sys.executable, __file__, "--measure", method, side, kind]
    command += ["--peers", str(options.peers)]
    command += ["--steps", str(options.steps)]
    if options.batch:
        command += ["--batch", str(options.batch)]
    done = subprocess.run(
        command, env=kept | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"{method}, {kind}, {side}: ended with status {done.returncode} ({last})", flush=True)
        return {}
    figures = dict(json.loads(done.stdout.strip().splitlines()[-1]))
    seconds, megabytes = figures["seconds"], figures["mb"]
    print(f"{method}, {kind}, {side}: {seconds:.3f} s, {megabytes:.0f} MB", flush=True)
    return figures


def in_turns(method: str, kind: str, options: argparse.Namespace) -> tuple[float, float] | None:
    """The medians of theirs and ours; None where one of them cannot be run."""
    found: dict[str, list[float]] = {"theirs": [], "ours": []}
    for _ in range(options.rounds):
        for side, seconds in found.items():
            figures = run(method, side, kind, options)
            if not figures:
                return None
            seconds.append(figures["seconds"])
    return statistics.median(found["theirs"]), statistics.median(found["ours"])


def chosen(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(PEERS)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, required=True, help="folder of the checkouts")
    parser.add_argument("--methods", type=chosen, default=list(PEERS), help="such as bot,osnet")
    parser.add_argument("--batch", type=int, help="images; by default so few that 2.5 GB do")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--steps", type=int, default=STEPS, help="of each process, after a warm-up")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure, options)
        return
    rows, left_out = [], []
    for method in options.methods:
        if not (options.peers / method / PEERS[method].file).is_file():
            left_out.append(f"{method} (not found)")
            print(f"{method}: not found in {options.peers}", flush=True)
            continue
        for kind, wanted in WANTED.items():
            medians = in_turns(method, kind, options)
            if medians is None:
                left_out.append(f"{method}, {kind} (does not run here)")
                continue
            before, after = medians
            images = len(people_of(method, options.batch))
            rows.append(
                f"| {method} | {kind} | {images} | {before:.3f} | {after:.3f} "
                f"| {before / after:.2f} | {wanted:.2f} |"
            )
            print(rows[-1], flush=True)
    lines = [
        "# The competitors beside their released implementations",
        "",
        f"At the sizes of their papers, {IDENTITIES} people, float32, one thread of the CPU, both "
        f"with batches of as many images (PyrNet's are triplets); torch {torch.__version__}. CPU "
        f"seconds of a batch: the best of {options.steps} steps, the median of {options.rounds} "
        "round(s) in which the processes took turns. "
        "Extraction is with mirror images where the released code has them. "
        f"{' and '.join(UNSET)} were unset.",
    ]
    if left_out:
        lines += ["", f"Not measured: {'; '.join(left_out)}."]
    lines += ["", "| method | task | images | theirs, s | topdb, s | theirs / topdb | to reach |"]
    lines += ["|---|---|---:|---:|---:|---:|---:|", *rows]
    options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
