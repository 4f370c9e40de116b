"""Each fault ends in the undisturbed tables, or in one clear message and then in those tables."""

import os

import pytest
from system.faults import company, damage, disks, processes
from system.faults.ground import Fault, Ground, params
from system.faults.random_run import FAULTS, RandomRun

CATALOGUE = [*processes.FAULTS, *disks.FAULTS, *damage.FAULTS, *company.FAULTS]
SEED = 20201012


@pytest.fixture(scope="session")
def finished(new_project) -> Ground:
    """An undisturbed grid."""
    ground = Ground(new_project(params()).folder)
    done = ground.run()
    assert done.returncode == 0, done.stdout[-4000:]
    return ground


def test_the_catalogue_names_forty_kinds():
    assert len({fault.name for fault in CATALOGUE}) == len(CATALOGUE) >= 40
    assert sum(fault.always for fault in CATALOGUE) >= 20


@pytest.mark.parametrize("fault", CATALOGUE, ids=lambda fault: fault.name)
def test_a_fault_is_survived(fault: Fault, finished: Ground, tmp_path, request, record_property):
    record_property("fault", fault.name)
    record_property("ends", fault.ends)
    if fault.strike.__module__ == disks.__name__ and os.geteuid() != 0:
        pytest.skip("only root may mount the small disk that this fault fills")
    if not fault.always and not request.config.getoption("--soak"):
        pytest.skip("tried by `make soak`")
    ground = Ground(tmp_path / "project", finished)
    fault.strike(ground)
    ground.finish()


def test_random_faults_in_a_row_are_survived(
    new_project, finished: Ground, request, record_property
):
    record_property("fault", f"{FAULTS} random faults over a grid, one after another")
    record_property("ends", "the same tables")
    if not request.config.getoption("--soak"):
        pytest.skip("tried by `make soak`")
    ground = Ground(new_project(params()).folder)
    ground.finished = finished
    disturbed = RandomRun(ground, SEED)
    disturbed.go()
    assert len(disturbed.told) == FAULTS
    ground.finish()
