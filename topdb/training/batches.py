"""Batches made ready ahead of the step that uses them, by threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Order = TypeVar("_Order")
_Batch = TypeVar("_Batch")


def loaded(
    orders: Iterable[_Order], load: Callable[[_Order], _Batch], workers: int
) -> Iterator[_Batch]:
    """Yield `load` of each order, in order, with `workers` threads loading ahead.

    Threads, not processes: gathering and resizing leave Python's lock, and all share the images.
    `load` may draw nothing at random: then the batches do not depend on the number of workers.
    Without workers a batch is loaded when it is asked for.
    """
    if not workers:
        yield from map(load, orders)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="loader") as pool:
        ahead: deque[Future[_Batch]] = deque()
        try:
            for order in orders:
                ahead.append(pool.submit(load, order))
                if len(ahead) > workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for waiting in ahead:
                waiting.cancel()
