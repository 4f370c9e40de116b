import fcntl
import math
import multiprocessing
import os
import re
import signal
import stat
import time

import numpy as np
import pytest
from safetensors.numpy import save_file

from topdb.errors import UserError
from topdb.files import (
    digest,
    one_at_a_time,
    parse_json,
    read_json,
    replacing,
    write_csv,
    write_json,
    write_text,
)


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("half of the n")
        assert path.read_text() == "old"
        partial.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_beside_it(tmp_path, error):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as partial:
        partial.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_first_write_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="stop"), replacing(tmp_path / "result.txt") as partial:
        partial.write_text("half")
        raise ValueError("stop")
    assert list(tmp_path.iterdir()) == []


def test_the_partial_file_lies_in_the_same_folder_and_looks_like_no_result(tmp_path):
    with replacing(tmp_path / "deep" / "result.json") as partial:
        assert partial.parent == tmp_path / "deep"
        assert partial.name.startswith(".")
        assert partial.suffix == ".partial"
        partial.write_text("{}")


def test_a_block_that_writes_nothing_is_an_error_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_whatever_writes_a_file_it_gets_the_usual_mode(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "plain", "text")
        with replacing(tmp_path / "weights.safetensors") as partial:
            save_file({"weight": np.zeros(1)}, partial)
    finally:
        os.umask(before)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_json_refuses_what_it_cannot_hold_and_keeps_the_old_file(tmp_path, value):
    path = tmp_path / "metrics.json"
    write_json(path, {"mAP": 0.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"mAP": value})
    assert read_json(path) == {"mAP": 0.5}


def test_json_comes_back_as_it_was_written(tmp_path):
    content = {"mAP": 0.1 + 0.2, "title": "CUHK03 – détecté", "cmc": {"1": 1}, "none": None}
    write_json(tmp_path / "metrics.json", content)
    assert read_json(tmp_path / "metrics.json") == content
    assert "détecté" in (tmp_path / "metrics.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        (b'{"mAP": 0.', "not readable as JSON"),
        (b"\xff\xfe", "not readable as JSON"),
        (b"[1, 2]", "holds no JSON object"),
    ],
)
def test_json_that_cannot_be_read_is_named(tmp_path, content, said):
    path = tmp_path / "metrics.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"{re.escape(str(path))} .*{said}"):
        read_json(path)


@pytest.mark.parametrize("where", ['"{}"', '["a", "{}"]', '{{"a": {{"{}": 1}}}}'])
def test_half_of_a_character_is_no_text_and_a_whole_one_is(where):
    with pytest.raises(ValueError, match=r"half of a character, U\+D800"):
        parse_json(where.format(r"b\ud800c"))
    assert "🚶" in str(parse_json(where.format(r"\ud83d\udeb6")))
    assert r"\ud800" in str(parse_json(where.format(r"\\ud800"))).replace("\\\\", "\\")


def test_csv_keeps_every_digit_and_the_order_of_its_columns(tmp_path):
    value = 0.1 + 0.2
    write_csv(tmp_path / "history.csv", ["epoch", "loss"], [{"loss": value, "epoch": 1}])
    header, row = (tmp_path / "history.csv").read_text().splitlines()
    assert header == "epoch,loss"
    assert row.startswith("1,")
    assert float(row.split(",")[1]) == value


def test_csv_with_an_undeclared_column_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="loss"):
        write_csv(tmp_path / "history.csv", ["epoch"], [{"epoch": 1, "loss": 2.0}])
    assert list(tmp_path.iterdir()) == []


def test_digest_is_the_sha256_of_the_content(tmp_path):
    write_text(tmp_path / "a", "abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(tmp_path / "a") == expected


def _add_one(path, start, rounds):
    start.wait()
    for _ in range(rounds):
        with one_at_a_time(path):
            path.write_text(str(int(path.read_text()) + 1))


def test_one_process_at_a_time_makes_a_file(tmp_path):
    path = tmp_path / "counter"
    path.write_text("0")
    context = multiprocessing.get_context("fork")
    start = context.Barrier(8)
    running = [context.Process(target=_add_one, args=(path, start, 50)) for _ in range(8)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    assert path.read_text() == "400"
    assert list(tmp_path.iterdir()) == [path]


def test_who_waited_is_told(tmp_path):
    path = tmp_path / "deep" / "result"
    with one_at_a_time(path) as waited:
        assert waited is False
        (lock,) = path.parent.iterdir()
        assert lock.name.endswith(".partial")


def _hold(path, held):
    with one_at_a_time(path):
        held.set()
        time.sleep(600)


def test_a_killed_holder_is_not_waited_for(tmp_path):
    path = tmp_path / "result"
    context = multiprocessing.get_context("fork")
    held = context.Event()
    holder = context.Process(target=_hold, args=(path, held))
    holder.start()
    assert held.wait(30)
    with (tmp_path / ".result.lock.partial").open("ab") as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with one_at_a_time(path):
        pass
    assert list(tmp_path.iterdir()) == []
