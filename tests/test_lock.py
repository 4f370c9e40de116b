"""The lock: every package that another needs is in it, since nothing else is installed."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = Path(__file__).parents[1] / "requirements.lock"


def locked() -> dict[str, str]:
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    here = [each for each in found if not each.marker or each.marker.evaluate()]
    return {
        canonicalize_name(each.name): next(iter(each.specifier)).version
        for each in here
        if each.specifier
    }


def test_it_lacks_nothing_that_its_packages_or_topdb_need():
    versions = locked()
    broken = []
    for name in (*versions, "topdb"):
        try:
            needs = distribution(name).requires or ()
        except PackageNotFoundError:
            continue  # of another platform
        for line in needs:
            need = Requirement(line)
            if need.marker and not need.marker.evaluate({"extra": ""}):
                continue
            version = versions.get(canonicalize_name(need.name))
            if version is None or not need.specifier.contains(version, prereleases=True):
                broken.append(f"{name} needs {line}, the lock has {version}")
    assert not broken


def test_each_package_has_one_version():
    names = [line.split("==")[0] for line in LOCK.read_text(encoding="utf-8").splitlines()]
    assert len(names) == len({*names})
