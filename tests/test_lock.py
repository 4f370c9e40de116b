"""The lock: every package that another needs, and the digests of files for every platform."""

import importlib.util
import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution

import pytest
import tiny
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = (tiny.ROOT / "requirements.lock").read_text(encoding="utf-8")
DOCS = (tiny.ROOT / "requirements-docs.lock").read_text(encoding="utf-8")
SPECIFICATION = importlib.util.spec_from_file_location("lock", tiny.ROOT / "tools/lock.py")
lock = importlib.util.module_from_spec(SPECIFICATION)
SPECIFICATION.loader.exec_module(lock)

TWELVE = [(python, platform) for python in lock.PYTHONS for platform in lock.PLATFORMS]


def entries(text: str = LOCK) -> list[list[str]]:
    """Each package's lines: the requirement, and its digests."""
    whole = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace(" \\\n", "\n")
    return [each.split("\n    ") for each in re.split(r"\n(?! )", whole.strip())]


def locked(text: str = LOCK) -> dict[str, str]:
    here = [Requirement(first) for first, *_ in entries(text)]
    return {
        canonicalize_name(each.name): next(iter(each.specifier)).version
        for each in here
        if not each.marker or each.marker.evaluate()
    }


def unmet(needs: list[str], versions: dict[str, str], extra: str = "") -> list[str]:
    found = []
    for line in needs:
        need = Requirement(line)
        if need.marker and not need.marker.evaluate({"extra": extra}):
            continue
        if need.name == "topdb":
            continue  # its own extras
        version = versions.get(canonicalize_name(need.name))
        if version is None or not need.specifier.contains(version, prereleases=True):
            found.append(f"{line}: the lock has {version}")
    return found


@pytest.mark.parametrize("text", [LOCK, DOCS], ids=["all", "docs"])
def test_it_lacks_nothing_that_its_packages_need(text):
    versions, broken = locked(text), {}
    for name in versions:
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # of another platform
        if lacking := unmet(needs, versions):
            broken[name] = lacking
    assert not broken


def test_it_lacks_nothing_that_topdb_and_its_extras_need():
    project = tomllib.loads((tiny.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert {"train", "workflow", "dev"} <= set(extras)
    for needs in (project["dependencies"], *extras.values()):
        assert not unmet(needs, locked())


def test_the_docs_have_a_lock_of_their_own_with_the_same_versions():
    project = tomllib.loads((tiny.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    versions, others = locked(DOCS), locked()
    assert not unmet(project["dependency-groups"]["docs"], versions)
    shared = versions.keys() & others.keys()
    assert {name: versions[name] for name in shared} == {name: others[name] for name in shared}
    assert versions.keys() - shared >= {"mkdocs", "mkdocs-material"}


@pytest.mark.parametrize(("text", "least"), [(LOCK, 250), (DOCS, 20)], ids=["all", "docs"])
def test_each_package_has_one_version_and_digests_alone(text, least):
    names = [canonicalize_name(Requirement(first).name) for first, *_ in entries(text)]
    assert names == sorted({*names})
    assert len(names) > least
    for first, *digests in entries(text):
        assert Requirement(first).specifier.__str__().startswith("==")
        assert digests, first
        assert digests == sorted({*digests})
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in digests), first


def test_compiled_packages_have_a_file_for_every_platform_and_python():
    digests = {Requirement(first).name: len(each) for first, *each in entries()}
    # Three platforms and four versions of Python: twelve files, where none serves two of them.
    assert digests["torch"] == digests["torchvision"] == len(TWELVE)
    assert digests["numpy"] >= len(TWELVE)
    # One for each platform and all versions of Python.
    assert digests["safetensors"] >= len(lock.PLATFORMS)


def test_packages_of_cuda_are_for_one_platform():
    markers = {Requirement(first).name: Requirement(first).marker for first, *_ in entries()}
    marked = {name for name, marker in markers.items() if marker}
    assert {"triton", "nvidia-cudnn-cu13", "cuda-toolkit"} <= marked
    for name in marked:
        assert name.startswith(lock.CUDA)
        linux = {"sys_platform": "linux", "platform_machine": "x86_64"}
        assert markers[name].evaluate(linux)
        assert not markers[name].evaluate(linux | {"platform_machine": "aarch64"})
        assert not markers[name].evaluate({"sys_platform": "darwin", "platform_machine": "arm64"})


@pytest.mark.parametrize(
    ("wheel", "fitting"),
    [
        ("a-1-py3-none-any.whl", 12),
        ("a-1-py2.py3-none-any.whl", 12),
        ("a-1-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", 1),
        ("a-1-cp312-cp312-macosx_10_13_universal2.whl", 1),
        ("a-1-cp312-abi3-macosx_11_0_arm64.whl", 3),
        ("a-1-py3-none-manylinux_2_28_aarch64.whl", 4),
        ("a-1-cp313-cp313t-manylinux_2_28_x86_64.whl", 0),
        ("a-1-cp312-cp312-musllinux_1_2_x86_64.whl", 0),
        ("a-1-cp312-cp312-macosx_10_13_x86_64.whl", 0),
        ("a-1-cp312-cp312-win_amd64.whl", 0),
        ("a-1-cp310-cp310-manylinux2014_x86_64.whl", 0),
        ("a-1-pp311-pypy311_pp73-manylinux2014_x86_64.whl", 0),
    ],
)
def test_wheels_fit_by_their_names(wheel, fitting):
    assert sum(lock.fits(wheel, *each) for each in TWELVE) == fitting


def package(*wheels, **more):
    files = [
        {"url": f"x/a-1-{name}.whl", "hashes": {"sha256": f"{place:064x}"}}
        for place, name in enumerate(wheels, 1)
    ]
    return {"name": "a", "version": "1", "wheels": files} | more


def test_a_packages_lines_have_the_digests_of_fitting_files_alone(capfd):
    wheels = package("cp311-abi3-manylinux_2_28_x86_64", "cp311-abi3-win_amd64")
    with pytest.raises(ValueError, match=r"a has no file for Python 3.11, Linux on aarch64; "):
        lock.line_of(wheels)
    with_source = wheels | {"sdist": {"url": "x/a-1.tar.gz", "hashes": {"sha256": "f" * 64}}}
    assert lock.line_of(with_source).split(" \\\n    --hash=sha256:") == [
        *("a==1", f"{1:064x}", "f" * 64)
    ]
    assert "a: built from its source for 8 of 12" in capfd.readouterr().err
    pure = package("py3-none-any", sdist={"url": "x", "hashes": {"sha256": "f" * 64}})
    assert lock.line_of(pure) == f"a==1 \\\n    --hash=sha256:{1:064x}"
    cuda = wheels | {"name": "nvidia-a"}
    assert lock.line_of(cuda).startswith('nvidia-a==1 ; sys_platform == "linux" and ')


@pytest.mark.parametrize(
    ("marker", "left_out"),
    [
        ("", False),
        ("sys_platform == 'win32'", True),
        ("sys_platform == 'emscripten' or sys_platform == 'win32'", True),
        ("python_full_version >= '3.8' and sys_platform == 'win32'", True),
        ("sys_platform != 'win32'", False),
        ("platform_machine == 'win32' or platform_machine == 'x86_64'", False),
        ("sys_platform == 'win32' or platform_machine == 'aarch64'", False),
    ],
)
def test_packages_of_other_systems_are_left_out(marker, left_out):
    assert lock.is_of_another_system(package(marker=marker)) == left_out


def test_the_pins_of_the_lock_stand():
    standing = lock.pins(LOCK)
    assert {f"{name}=={version}" for name, version in locked().items()} <= {*standing}
    assert len(standing) == len(entries())
