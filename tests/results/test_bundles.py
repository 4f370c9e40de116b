import gzip
import io
import json
import os
import shutil
import tarfile

import pytest
import tiny

from topdb.config import load
from topdb.config.papers import read_papers
from topdb.errors import UserError
from topdb.files import digest
from topdb.results import bundle as bundles
from topdb.results.bundle import opened, write_bundle


@pytest.fixture
def project(tmp_path):
    """A folder with parameters and four finished runs."""
    tiny.write_params(tmp_path, {"rankings": ["plain"]})
    for method in ("baseline", "top-db-net"):
        for seed in (1, 2):
            folder = tiny.write_run(tmp_path / "results", "market1501", method, seed)
            tiny.write_queries(folder, [0.5, 0.6 + seed / 10, 0.7])
            (folder / "weights.safetensors").write_bytes(b"not for the bundle")
    return tmp_path


def bundle(project, name="bundle.tar.gz"):
    path = project / "params.yaml"
    params = load(path)
    out = project / name
    papers = read_papers(params, tiny.PAPERS)
    write_bundle(path, params, "tiny", project / "results", papers, out)
    return out


def contents(path):
    with tarfile.open(path) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive}


def pack(path, files, *, kinds=None):
    """Write an archive of any names, twice the same if need be, and of any kind of member."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.type = (kinds or {}).get(name, tarfile.REGTYPE)
            member.size = len(content) if member.type == tarfile.REGTYPE else 0
            member.linkname = "params.yaml" if member.type != tarfile.REGTYPE else ""
            archive.addfile(member, io.BytesIO(content))
    return path


def refused(path, **limits) -> str:
    with pytest.raises(UserError) as caught, opened(path, **limits):
        pass
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_bundle_holds_what_a_verdict_needs_and_no_weights(project):
    found = contents(bundle(project))
    runs = [f"results/market1501/{m}/seed-{s}" for m in ("baseline", "top-db-net") for s in (1, 2)]
    of_run = ("run.json", "history.csv", "plain/queries.parquet", "plain/metrics.json")
    assert set(found) == {
        "manifest.json",
        "params.yaml",
        "papers/top_db_net/paper.yaml",
        *(f"papers/top_db_net/{name}.csv" for name in ("table1", "table2", "claims", "oddities")),
        *(f"{run}/{name}" for run in runs for name in of_run),
    }
    manifest = json.loads(found["manifest.json"])
    assert manifest["profile"] == "tiny"
    params = project / "params.yaml"
    assert manifest["files"]["params.yaml"] == digest(params)


def test_the_same_files_give_the_same_bytes(project):
    first = bundle(project).read_bytes()
    for path in project.rglob("*.json"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    assert bundle(project, "again.tar.gz").read_bytes() == first


def test_an_opened_bundle_has_the_same_files(project):
    path = bundle(project)
    with opened(path) as found:
        assert found.profile == "tiny"
        assert (found.folder / "params.yaml").read_bytes() == (project / "params.yaml").read_bytes()
        own = found.results / "market1501/baseline/seed-2/plain/queries.parquet"
        source = project / "results/market1501/baseline/seed-2/plain/queries.parquet"
        assert own.read_bytes() == source.read_bytes()
        folder = found.folder
    assert not folder.exists()


def test_a_bundle_names_the_methods_of_ones_own_and_holds_none_of_their_code(
    project, monkeypatch, capfd
):
    own = project / "own"
    own.mkdir()
    (own / "my_method.py").write_text('SECRET = 7\nclass A:\n    title = "It\'s mine"\n')
    (own / "bare.py").write_text("SECRET = 7\n")
    changes = {"rankings": ["plain"], "methods": ["baseline", "my-method"]}
    tiny.write_params(project, {**changes, "method_folders": ["own"]})
    for seed in (1, 2):
        folder = tiny.write_run(project / "results", "market1501", "my-method", seed)
        tiny.write_queries(folder, [0.5, 0.6 + seed / 10, 0.7])
    monkeypatch.chdir(project)
    command = ["bundle", "--papers", tiny.PAPERS, "--results", "results", "--out", "b"]
    assert tiny.topdb(monkeypatch, *command) == 0
    methods = {
        name: text.decode()
        for name, text in contents(project / "b").items()
        if name.startswith("methods/")
    }
    network = "    backbone_name = 'resnet50'\n"  # which a verdict asks for
    assert methods == {
        "methods/my_method.py": 'class Method:\n    title = "It\'s mine"\n' + network,
        "methods/bare.py": "class Method:\n" + network,
    }
    shutil.rmtree(own)
    assert tiny.topdb(monkeypatch, "verdict", "b", "--out", "again") == 0, capfd.readouterr().err
    for table in ("table1", "table2"):
        assert "| It's mine |" in (project / f"again/{table}.md").read_text()


def test_a_bundle_of_no_run_is_not_written(project):
    shutil.rmtree(project / "results/market1501")
    with pytest.raises(UserError, match="no finished run of profile tiny"):
        bundle(project)
    assert not (project / "bundle.tar.gz").exists()


def test_a_bundle_needs_its_papers(project, monkeypatch, capfd):
    monkeypatch.chdir(project)
    assert tiny.topdb(monkeypatch, "bundle", "--results", "results", "--out", "b") == 2
    assert "papers/top_db_net/paper.yaml does not exist" in capfd.readouterr().err
    assert not (project / "b").exists()


@pytest.mark.parametrize("name", ["params.yaml", "papers/top_db_net/table1.csv"])
def test_a_changed_file_is_found_by_its_digest(project, name):
    files = contents(bundle(project))
    files[name] += b"\n"
    said = refused(pack(project / "forged.tar.gz", files.items()))
    assert f"{name} has another SHA-256 than the manifest says" in said


def test_a_lacking_file_is_named(project):
    files = contents(bundle(project))
    name = "results/market1501/baseline/seed-1/run.json"
    del files[name]
    assert f"lacks the file {name}" in refused(pack(project / "cut.tar.gz", files.items()))
    files = contents(bundle(project))
    manifest = json.loads(files["manifest.json"])
    for each in ("params.yaml", name):
        del files[each], manifest["files"][each]
    files["manifest.json"] = json.dumps(manifest).encode()
    assert "lacks the file params.yaml" in refused(pack(project / "cut.tar.gz", files.items()))


def test_an_extra_file_is_named(project):
    files = contents(bundle(project)) | {"results/more.txt": b"x"}
    said = refused(pack(project / "more.tar.gz", files.items()))
    assert "'results/more.txt', which is not in its manifest" in said


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/tmp/evil",
        "results/../../evil",
        "a//b",
        "./a",
        "results/.hidden",
        "a\\b",
        pytest.param("a/" * 1500 + "a", id="deep"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(project, name):
    files = [*contents(bundle(project)).items(), (name, b"x")]
    assert "unsafe name" in refused(pack(project / "evil.tar.gz", files))
    assert not (project.parent / "evil").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_anything_but_a_plain_file_is_refused(project, kind):
    files = [*contents(bundle(project)).items(), ("other", b"")]
    said = refused(pack(project / "link.tar.gz", files, kinds={"other": kind}))
    assert "'other', which is no plain file" in said


def test_a_name_given_twice_is_refused(project):
    files = [*contents(bundle(project)).items(), ("params.yaml", b"x")]
    assert "'params.yaml' twice" in refused(pack(project / "twice.tar.gz", files))


def test_an_archive_that_unpacks_to_too_much_is_refused(project):
    path = project / "bomb.tar.gz"
    with gzip.open(path, "wb") as stream:
        stream.write(bytes(8 * 1024**2))
    assert path.stat().st_size < 20_000
    assert "unpacks to more than 4 MiB" in refused(path, most_bytes=4 * 1024**2)


def test_an_archive_of_too_many_files_is_refused(project):
    path = bundle(project)
    assert "holds more than 20 files" in refused(path, most_files=20)


def test_a_sparse_file_that_claims_to_be_enormous_is_refused(project):
    path = project / "sparse.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("results/x")
        content = f"1\n{2**50}\n0\n".encode().ljust(512, b"\0")
        member.size = len(content)
        member.pax_headers = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": "results/x",
            "GNU.sparse.realsize": str(2**50),
        }
        archive.addfile(member, io.BytesIO(content))
    assert "'results/x', which is no plain file" in refused(path)


@pytest.mark.parametrize(
    "content", [b"", b"no archive", gzip.compress(b"no tar", mtime=0), b"\x1f\x8b\x08"]
)
def test_what_is_no_archive_is_named(project, content):
    path = project / "broken.tar.gz"
    path.write_bytes(content)
    said = refused(path)
    assert "make it again with `topdb bundle`" in said


def test_a_truncated_archive_is_named(project):
    path = bundle(project)
    path.write_bytes(path.read_bytes()[:-400])
    assert "make it again with `topdb bundle`" in refused(path)


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format": 1}',
        b'{"format": 1, "profile": 3, "files": {}}',
        b"\xff",
        b'{"format": 1, "profile": "tiny", "files": []}',
        b"[" * 100_000,
    ],
)
def test_a_broken_manifest_is_named(project, manifest):
    files = contents(bundle(project)) | {"manifest.json": manifest}
    said = refused(pack(project / "broken.tar.gz", files.items()))
    assert "has no readable manifest.json" in said


def test_a_bundle_of_another_format_is_named(project):
    files = contents(bundle(project))
    files["manifest.json"] = files["manifest.json"].replace(b'"format": 2', b'"format": 3')
    said = refused(pack(project / "later.tar.gz", files.items()))
    assert "is a bundle of format 3: this topdb reads 1 and 2" in said


def test_an_unpacked_bundle_with_a_link_is_refused(project):
    folder = project / "unpacked"
    tiny.unpack(bundle(project), folder)
    assert bundles.is_bundle(folder)
    assert bundles.checked_bundle(folder, folder).profile == "tiny"
    (folder / "params.yaml").unlink()
    (folder / "params.yaml").symlink_to(project / "params.yaml")
    with pytest.raises(UserError, match=r"'params.yaml', which is no plain file"):
        bundles.checked_bundle(folder, folder)
