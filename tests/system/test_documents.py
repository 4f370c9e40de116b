"""Every command and snippet of README.md and docs/ runs as it is printed.

They run in a copy of the repository, whose parameters are those of small profiles. Stand-ins are
there only for data that nobody may ship, or that are the reader's own: archives of data sets,
released weights, features. README.md comes first: its two commands train what the others look at.
"""

import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tiny
import yaml
from factories import released_state, write_checkpoint
from PIL import Image
from system import documents
from system.conftest import tiny_params

NOT_RUN = {"SLURM": 2, "Kubernetes": 1, "text": 1}
ON_REQUEST = 12
LEAST = 25
README_WORDS = 900
DOCS_WORDS = 9_000


def params(soak: bool) -> dict:
    """The tutorial's part of the mini profile, and a paper's profile without ImageNet weights."""
    content = tiny_params()
    mini = content["profiles"]["mini"]
    mini["datasets"] = {"market1501": mini["datasets"]["market1501"]}
    mini["seeds"] = [1, 2, 3]
    mini["rankings"] = ["plain"]
    if not soak:  # nothing draws Figures 2 and 3 of it
        mini["snapshots"] = {"methods": []}
    second = tiny_params()["profiles"]["mini"]["datasets"]["cuhk03-detected"]
    content["profiles"]["cross"] = {
        **mini,
        "seeds": [1, 2],
        "datasets": {**mini["datasets"], "cuhk03-detected": second},
        "test_on": "all",
    }
    paper = tiny.content()["profiles"]["tiny"]
    paper["methods"] = ["baseline", "top-db-net"]
    paper["snapshots"] = {"methods": []}
    paper["rankings"] = ["plain"]
    content["profiles"]["paper"] = paper
    content["profiles"]["authors"] = {
        **paper,
        "methods": ["top-db-net"],
        "reference_method": "top-db-net",
        "seeds": [0],
        "weights": {"market1501": {"top-db-net": "data/weights/market1501.pth.tar"}},
    }
    return content


def write_archives(folder: Path) -> None:
    """Write two data sets as their publishers pack them, but small."""
    market = folder.parent / "Market-1501-v15.09.15"
    tiny.draw_market(market)
    duke = folder.parent / "DukeMTMC-reID"
    for place, camera in (("bounding_box_train", 1), ("query", 1), ("bounding_box_test", 2)):
        (duke / place).mkdir(parents=True)
        for pid in (1, 2, 3):
            pixels = np.random.default_rng([pid, camera]).integers(0, 256, (32, 16, 3), np.uint8)
            Image.fromarray(pixels).save(duke / place / f"{pid:04d}_c{camera}_f{pid:07d}.jpg")
    for root in (market, duke):
        with zipfile.ZipFile(folder / f"{root.name}.zip", "w") as archive:
            for path in sorted(root.rglob("*.jpg")):
                archive.write(path, path.relative_to(root.parent))
    documents.count(
        folder, "market1501", {"train": (4, 16, 2), "query": (3, 3, 1), "gallery": (3, 6, 1)}
    )
    documents.count(
        folder, "dukemtmc_reid", {"train": (3, 3, 1), "query": (3, 3, 1), "gallery": (3, 3, 1)}
    )


def made(folder: Path, soak: bool) -> Path:
    """Make the project; nothing has run in it."""
    documents.copy_repository(folder)
    text = yaml.safe_dump(params(soak), sort_keys=False)
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    write_archives(folder)
    state = released_state("top-db-net", 4)
    write_checkpoint(folder / "data/weights/market1501.pth.tar", state)
    shutil.copyfile(folder / "data/weights/market1501.pth.tar", folder / "model.pth.tar-400")
    tiny.write_features(folder / "features.npz")
    documents.run(
        folder,
        "set -e\n"
        "git init --quiet && git config user.email someone@example.org && git config user.name S\n"
        "git add --all && git commit --quiet --message start\n",
    )
    return folder


@pytest.fixture(scope="module")
def soak(request: pytest.FixtureRequest) -> bool:
    return request.config.getoption("--soak")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, soak: bool) -> Path:
    """A project in which README.md has run from its first line to its last."""
    folder = made(tmp_path_factory.mktemp("documents") / "topdb", soak)
    documents.run(folder, documents.script("README.md", soak))
    index = "results/paper/market1501/index.parquet"
    command = f"topdb index market1501 --profile paper --index {index} --pixels "
    if not (folder / index).exists():  # `make all profile=paper` would write it
        script = (
            f"source .venv/bin/activate\n{command} {index.replace('index.parquet', 'pixels.npy')}\n"
        )
        documents.run(folder, script)
    return folder


def test_readme_runs_as_printed(project):
    for name in ("table1.md", "table2.md"):
        assert "Top-DB-Net" in (project / "reports" / name).read_text(encoding="utf-8")
    assert (project / "data/market1501.dvc").is_file()
    assert (project / "comparison/comparison.md").is_file()


@pytest.mark.parametrize("page", documents.PAGES[1:])
def test_a_document_runs_as_printed(page, project, soak):
    """Each begins with the files of the repository, and the results of README.md."""
    documents.run(project, "git checkout --quiet . && git clean --quiet -fd\n")
    documents.run(project, documents.script(page, soak))


def test_every_block_is_of_a_kind_that_runs_and_few_are_left_out():
    found = [block for page in documents.PAGES for block in documents.blocks(page)]
    assert {block.language for block in found} == {"sh", "python", "yaml", "text"}
    counts = documents.outline(soak=False)
    assert counts.pop("runs") >= LEAST
    assert counts.pop("soak") == ON_REQUEST
    assert counts == NOT_RUN


def test_a_block_is_read_with_what_stands_above_it(tmp_path):
    (tmp_path / "a.md").write_text(
        "<!-- soak: slow -->\n```sh\nls\n```\n\ntext\n```text\nno\n```\n"
    )
    first, second = documents.blocks("a.md", tmp_path)
    assert (first.language, first.text, first.marks) == ("sh", "ls\n", {"soak": "slow"})
    assert (second.line, second.marks) == (7, {})
    assert documents.runs(first, soak=True)
    assert not documents.runs(first, soak=False)


def test_a_failing_block_is_named(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    with pytest.raises(AssertionError, match=r"status 1 at b:2"):
        documents.run(folder, "set -e\necho '>>> a:1'\ntrue\necho '>>> b:2'\nfalse\n")


@pytest.mark.parametrize("page", documents.PAGES)
def test_what_a_document_names_is_there(page):
    text = (documents.ROOT / page).read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, flags=re.DOTALL))
    for name in re.findall(r"\btopdb ([a-z][a-z-]+)", code):
        file = documents.ROOT / "topdb/commands" / f"{name.replace('-', '_')}.py"
        assert file.is_file(), name
    makefile = (documents.ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z][\w-]*)", code):
        assert f"\n{target}:" in makefile, target
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        assert (documents.ROOT / page).parent.joinpath(target).exists(), target
    # Snakemake would take targets behind it for more of the configuration.
    assert not re.search(r"--config \S+=\S+ +[^-\s`#]", code)


def words(*pages: str) -> int:
    return sum(len((documents.ROOT / page).read_text(encoding="utf-8").split()) for page in pages)


def test_they_stay_short():
    assert words("README.md") <= README_WORDS
    assert words(*(page for page in documents.PAGES if page.startswith("docs/"))) <= DOCS_WORDS
