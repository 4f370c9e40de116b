"""A grid under thirty faults in a row, chosen by a seeded generator."""

import random
import signal
import time
from pathlib import Path

import psutil
from system.faults.damage import cut, empty, zero
from system.faults.ground import REPORTS, Ground

FAULTS = 30
DAMAGED = ("features.npz", "run.json", "queries.parquet", "metrics.json", "index.parquet")


class RandomRun:
    """Starts the workflow again and again, and disturbs it each time.

    What was damaged is kept in mind, so that a message which names it can be followed: the file
    is deleted, and nothing else is ever mended.
    """

    def __init__(self, ground: Ground, seed: int) -> None:
        self.ground = ground
        self.chance = random.Random(seed)
        self.damaged: list[Path] = []
        self.told: list[str] = []

    def go(self) -> None:
        for _ in range(FAULTS):
            if self._over():
                self._start_again()
            time.sleep(self.chance.uniform(0.5, 8.0))
            fault = self.chance.choice(
                [
                    self.kill_a_job,
                    self.kill_snakemake,
                    self.cut_power,
                    self.preempt,
                    self.damage,
                    self.lose,
                ]
            )
            self.told.append(fault.__name__)
            fault()
        for _ in range(len(self.damaged) + 2):
            if not self.ground.running:
                self._start_again()
            if self.ground.ended(280) == 0:
                return

    def _over(self) -> bool:
        """Whether the workflow ended, by itself or by a fault; its process is collected then."""
        if self.ground.running and self.ground.running.poll() is not None:
            self.ground.ended()
        return self.ground.running is None

    def _start_again(self) -> None:
        log = self.ground.folder / "workflow.log"
        if log.exists():
            assert "Traceback" not in log.read_text(errors="replace"), log.read_text()[-4000:]
            self._follow(log.read_text(errors="replace"))
            log.unlink()
        if all((self.ground.folder / name).exists() for name in REPORTS):
            self.lose()
        self.ground.start()

    def _follow(self, text: str) -> None:
        for path in [
            each for each in self.damaged if str(each.relative_to(self.ground.folder)) in text
        ]:
            path.unlink(missing_ok=True)

    def _jobs(self) -> list[psutil.Process]:
        if self._over():
            return []
        assert self.ground.running
        workflow = psutil.Process(self.ground.running.pid)
        return [each for each in workflow.children(recursive=True) if each.is_running()]

    def kill_a_job(self) -> None:
        for job in self._jobs()[-1:]:
            job.kill()

    def preempt(self) -> None:
        for job in self._jobs()[-1:]:
            job.send_signal(signal.SIGTERM)

    def kill_snakemake(self) -> None:
        if not self._over():
            assert self.ground.running
            self.ground.running.kill()
            self.ground.ended()

    def cut_power(self) -> None:
        if not self._over():
            self.ground.kill_all()

    def damage(self) -> None:
        path = self._result()
        if path and path.stat().st_size > 8:
            self.chance.choice([cut, zero, empty])(path)
            self.damaged.append(path)

    def lose(self) -> None:
        path = self._result()
        if path:
            path.unlink(missing_ok=True)
        self.ground.undo()

    def _result(self) -> Path | None:
        found = [
            path
            for name in DAMAGED
            for path in sorted((self.ground.folder / "results").rglob(name))
        ]
        return self.chance.choice(found) if found else None
