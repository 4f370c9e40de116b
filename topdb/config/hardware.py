"""Where a profile computes, and what its jobs ask a cluster for."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt

from topdb.config.base import Settings

# YAML reads a bare `off` as false.
Autocast = Annotated[
    Literal["off", "bf16"], BeforeValidator(lambda value: "off" if value is False else value)
]


class HardwareSettings(Settings):
    """Where a run computes, and what may make it faster."""

    WITHOUT_EFFECT: ClassVar[set[str]] = {
        "workers",
        "log_every",
        "checkpoint_seconds",
        "runs_per_job",
    }
    """Those that change no result: another value is no reason to train again."""

    device: Literal["cpu", "cuda"] = "cpu"
    threads: PositiveInt = 1
    """Threads of one training process; another count gives other bits."""
    channels_last: bool = True
    """Memory layout of images and weights; another one gives other bits."""
    autocast: Autocast = "off"
    """`bf16` computes convolutions and matrix products of the training in bfloat16: faster, and
    not what the authors did."""
    fused: bool = True
    """Whether an optimiser moves all weights in one kernel, or one after the other; rounds
    otherwise."""
    tf32: bool = False
    """Whether a GPU may round what it multiplies to ten bits (TF32): faster, and other bits."""
    compile: bool = False
    """Whether torch compiles the training pass, which takes minutes once."""
    workers: NonNegativeInt = 0
    """Threads that gather and resize images ahead of their use; results do not depend on it."""
    log_every: PositiveInt = 20
    """Steps between looks at the losses, each of which waits for the GPU."""
    checkpoint_seconds: Annotated[float, Field(ge=0.0)] = 300.0
    """Time between two checkpoints; a shorter training writes none and starts anew after a kill."""
    extraction_batch: PositiveInt = 256
    """Images in a batch of feature extraction; results do not depend on it beyond rounding."""
    runs_per_job: PositiveInt = 1
    """Seeds of a method on a data set that one process trains, one after the other: it starts
    once. A kill loses none that is finished."""


class StepResources(Settings):
    """What one job of a step asks for; its second attempt asks for twice as much, and so on."""

    memory_mb: PositiveInt = 2000
    minutes: PositiveInt = 30
    """Run time after which a scheduler may end the job."""


class ResourceSettings(Settings):
    """What each step asks for. Threads and GPU are settings of the training."""

    render: StepResources = StepResources()
    index: StepResources = StepResources()
    pretrain: StepResources = StepResources()
    train: StepResources = StepResources()
    evaluate: StepResources = StepResources()
    report: StepResources = StepResources()
    """Comparisons, tables, metrics and plots."""
