"""Processes that are killed, stopped, or asked to end."""

import os
import signal
import time
from collections.abc import Callable

from system.faults.ground import VICTIM, Fault, Ground

EVALUATED = (f"{VICTIM}/plain", f"{VICTIM}/rk")
INDEXED = ("results/mini/market1501/index.parquet", VICTIM)
PRETRAINED = ("results/mini/pretraining/small/backbone.safetensors", VICTIM)


def _kill(words: str, *undone: str, after: float = 0.2) -> Callable[[Ground], None]:
    """Kill the process of one step shortly after its start."""

    def strike(ground: Ground) -> None:
        ground.undo(*undone)
        ground.start()
        victim = ground.process(words)
        time.sleep(after)
        victim.send_signal(signal.SIGKILL)
        assert ground.ended() != 0

    return strike


def _signal_workflow(number: signal.Signals) -> Callable[[Ground], None]:
    """Send a signal to snakemake alone, while it trains; its jobs may go on."""

    def strike(ground: Ground) -> None:
        ground.undo(VICTIM)
        ground.start()
        training = ground.process("topdb train")
        assert ground.running
        os.kill(ground.running.pid, number)
        ground.ended()
        if number == signal.SIGKILL:
            assert training.is_running(), "the orphan was to go on writing"

    return strike


def _power_cut(ground: Ground) -> None:
    ground.undo(VICTIM)
    ground.start()
    ground.process("topdb train")
    time.sleep(1.5)
    ground.kill_all()


def _preempt(ground: Ground) -> None:
    ground.undo(VICTIM)
    ground.start()
    training = ground.process("topdb train")
    training.terminate()
    training.wait(10)
    assert ground.ended() != 0


def _stop_for_a_while(ground: Ground) -> None:
    ground.undo(VICTIM)
    ground.start()
    training = ground.process("topdb train")
    training.suspend()
    time.sleep(3.0)
    training.resume()
    assert ground.ended() == 0


def _out_of_memory(ground: Ground) -> None:
    """Take away a training's address space as it starts: its allocations fail."""
    ground.undo(VICTIM)
    ground.start()
    training = ground.process("topdb train")
    import psutil

    training.rlimit(psutil.RLIMIT_AS, (300 << 20, 300 << 20))
    assert ground.ended() != 0


FAULTS = [
    Fault(
        "kill -9 of the drawing of a data set",
        _kill("topdb render", "data/mini/market1501", "results/mini/market1501"),
        always=False,
    ),
    Fault("kill -9 of an indexing", _kill("topdb index", *INDEXED), always=False),
    Fault(
        "kill -9 of the pretraining", _kill("topdb pretrain", *PRETRAINED, after=1.0), always=False
    ),
    Fault(
        "kill -9 of a training as it starts", _kill("topdb train", VICTIM, after=0.0), always=False
    ),
    Fault("kill -9 of a training in the midst", _kill("topdb train", VICTIM, after=1.0)),
    Fault("kill -9 of a ranking", _kill("topdb evaluate", *EVALUATED)),
    Fault("kill -9 of the comparisons", _kill("topdb judge"), always=False),
    Fault("kill -9 of a table", _kill("topdb report table", after=0.1), always=False),
    Fault(
        "kill -9 of snakemake, whose training goes on",
        _signal_workflow(signal.SIGKILL),
    ),
    Fault("SIGTERM to snakemake", _signal_workflow(signal.SIGTERM), always=False),
    Fault("SIGINT to snakemake", _signal_workflow(signal.SIGINT), always=False),
    Fault("power cut: every process killed at once", _power_cut),
    Fault("preemption: SIGTERM to a training", _preempt),
    Fault("a training stopped for seconds and continued", _stop_for_a_while, always=False),
    Fault("a training without memory, once", _out_of_memory),
]
