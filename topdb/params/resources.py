"""What each step asks of a cluster; no result depends on it."""

from pydantic import PositiveInt

from topdb.params.base import Settings


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
