"""Work on a long list by several threads, in order, without holding more than a few results."""

import collections
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from keras_dhnn.machine import cores

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Iterator[tuple[Item, Result]]:
    """Yield `(item, work(item))` in the order of `items`; decoding images leaves Python free for other threads.

    Args:
        work: function of one item.
        items: iterable.
        threads: how many; by default one a core, at most 8.
    """
    threads = threads or min(cores(), 8)
    items = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        waiting = collections.deque((item, pool.submit(work, item)) for item in itertools.islice(items, 4 * threads))
        try:
            while waiting:
                item, future = waiting.popleft()
                yield item, future.result()
                waiting.extend((item, pool.submit(work, item)) for item in itertools.islice(items, 1))
        finally:
            pool.shutdown(cancel_futures=True)
