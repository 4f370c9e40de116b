"""The learning rate as a function of the epoch."""

import math

from topdb.params import CosineSchedule, Schedule, StepSchedule


def learning_rate(schedule: Schedule, epoch: int, done: float, epochs: int) -> float:
    """Return the learning rate of a step of training.

    Parameters
    ----------
    schedule : its shape; stairs hold for whole epochs, a cosine falls from step to step
    epoch : the epoch that the step belongs to, counted from 0
    done : share of the epoch that is done after the step, in (0, 1]
    epochs : length of the training
    """
    if isinstance(schedule, StepSchedule):
        return _steps(schedule, epoch)
    return _cosine(schedule, epoch + done, epochs)


def _steps(schedule: StepSchedule, epoch: int) -> float:
    """Follow the authors' stairs: the e-th epoch, counted from 1, decides.

    The first stair is one epoch short since the rate is set by whole multiples of a stair: epochs
    1 to 4 have the base's tenth, epochs 5 to 9 two tenths, and so on, never above the base.
    """
    number = epoch + 1
    if number <= schedule.warmup_epochs:
        stairs = schedule.warmup_epochs // schedule.stair_epochs + 1
        return schedule.base * (number // schedule.stair_epochs + 1) / stairs
    passed = sum(number >= milestone for milestone in schedule.milestones)
    return schedule.base * 0.1**passed


def _cosine(schedule: CosineSchedule, epoch: float, epochs: int) -> float:
    if epoch < schedule.warmup_epochs:
        return schedule.base * epoch / schedule.warmup_epochs
    done = (epoch - schedule.warmup_epochs) / (epochs - schedule.warmup_epochs)
    return schedule.base * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
