"""Images that are other than when the index was written are told, by `topdb verify` and `index`."""

from pathlib import Path

import pytest
import tiny

from topdb.drawn.rendering import render


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set with the index that a profile made of it, and the commands' folder."""
    monkeypatch.chdir(tmp_path)
    params = tiny.params(tmp_path, {"datasets.market1501.render": tiny.RENDER})
    settings = params.selected(None).dataset("market1501")
    assert settings.render
    render(settings.render, settings.layout, settings.root)
    assert index(monkeypatch) == 0
    return tmp_path / settings.root


def index(monkeypatch: pytest.MonkeyPatch) -> int:
    made = Path("results/tiny/market1501")
    files = ("--index", made / "index.parquet", "--pixels", made / "pixels.npy")
    return tiny.topdb(monkeypatch, "index", "market1501", *files)


def verify(monkeypatch: pytest.MonkeyPatch, root: Path) -> int:
    return tiny.topdb(monkeypatch, "verify", "market1501", "--root", root, "--allow-partial")


def test_an_image_overwritten_in_place_is_told_by_both(project, monkeypatch, capsys):
    assert verify(monkeypatch, project) == 0
    assert "each image is the one that results/tiny" in capsys.readouterr().out
    images = sorted((project / "query").glob("*.jpg"))
    whole = [image.read_bytes() for image in images]
    images[0].write_bytes(whole[1].ljust(len(whole[0]), b"\0")[: len(whole[0])])
    images[1].unlink()
    added = images[1].with_name(images[1].name.replace("_00.jpg", "_09.jpg"))
    added.write_bytes(whole[1])
    assert verify(monkeypatch, project) == 2
    said = capsys.readouterr().err
    assert f"1 image is of other content (query/{images[0].name})" in said
    assert f"1 image is gone (query/{images[1].name})" in said
    assert f"1 image is new (query/{added.name})" in said
    images[0].write_bytes(whole[1])
    assert index(monkeypatch) == 0
    said = capsys.readouterr().out
    assert f"since the index before, 1 image is of other content (query/{images[0].name})" in said
    assert verify(monkeypatch, project) == 0


def test_where_there_is_no_index_of_the_folder_nothing_is_said_to_be_compared(
    project, monkeypatch, capsys
):
    Path("results/tiny/market1501/index.parquet").unlink()
    assert verify(monkeypatch, project) == 0
    assert "content: not compared" in capsys.readouterr().out
