import io

from topdb.retrieval import ProgressBar


def test_nothing_is_drawn_for_short_work():
    stream = io.StringIO()
    bar = ProgressBar(stream, after=60)
    for share in (0.1, 0.5, 1.0):
        bar("ranking", share)
    assert stream.getvalue() == ""


def test_long_work_is_drawn_and_ends_its_line():
    stream = io.StringIO()
    bar = ProgressBar(stream, after=0, every=0)
    for share in (0.25, 1.0):
        bar("ranking", share)
    assert " 25%" in stream.getvalue()
    assert stream.getvalue().endswith("s\n")


def test_a_second_evaluation_starts_anew():
    stream = io.StringIO()
    bar = ProgressBar(stream, after=0, every=0)
    for _ in range(2):
        bar("ranking", 0.5)
        bar("ranking", 1.0)
    assert stream.getvalue().count("\n") == 2
    assert stream.getvalue().count(" 50%") == 2
