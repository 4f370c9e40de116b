import io

from topdb.engine.progress import Lines, Moment, watching


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def moments(epochs=2, steps=3, start=0):
    every = [(epoch, step) for epoch in range(1, epochs + 1) for step in range(1, steps + 1)]
    for epoch, step in every[start:]:
        yield Moment(epoch, epochs, step, steps, 8, 1.5 if step == steps else None)


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end():
    seconds = iter(range(0, 1000, 10))
    stream = io.StringIO()
    lines = Lines("market1501 baseline 1", stream, every=30.0, clock=lambda: next(seconds))
    for moment in moments():
        lines(moment)
    # Six steps of 8 images, ten seconds apart.
    assert stream.getvalue().splitlines() == [
        "market1501 baseline 1: epoch 1/2, step 3/3, loss 1.500, 1 images/s, 0:00:30 left",
        "market1501 baseline 1: epoch 2/2, step 3/3, loss 1.500, 1 images/s, 0:00:00 left",
    ]


def test_a_person_sees_a_bar_with_speed_and_time_left():
    stream = Terminal()
    with watching("market1501 baseline 1", stream) as progress:
        for moment in moments():
            progress(moment)
    last = stream.getvalue().rstrip().split("\r")[-1]
    assert last.startswith("market1501 baseline 1 100%|")
    assert " images/s, 00:00 left, epoch 2/2, loss 1.500" in last


def test_a_training_that_goes_on_does_not_count_what_others_did():
    stream = Terminal()
    with watching("run", stream) as progress:
        told = moments(epochs=100, steps=10, start=995)
        progress(next(told))
        assert stream.getvalue().rstrip().split("\r")[-1].startswith("run")
        for moment in told:
            progress(moment)
    assert "100%" in stream.getvalue()


def test_a_stream_that_is_no_terminal_gets_lines():
    stream = io.StringIO()
    with watching("run", stream) as progress:
        for moment in moments(epochs=1):
            progress(moment)
    assert stream.getvalue().count("\n") == 1
    assert "\r" not in stream.getvalue()
