"""Calls for many files, many at once where each waits for a server or a share."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 48  # calls that wait at once
FEW_SLOW = 3  # calls in a row that take long: the next are made ahead
SLOW_LOOK = 0.0005  # seconds to look up a file's name, from which on it is slow; on a local disk it takes 5 us


def calls_in_order(
    function: Callable[[T], R], items: Sequence[T], slow: float, *, is_remote: bool = False
) -> Iterator[Callable[[], R]]:
    """Calls of a function for each of the items, in order; each gives the result, or raises what the function raises.

    Parameters
    ----------
    slow : float
        Seconds. Where a few calls in a row take longer, many are made at once in threads, some ahead.
    is_remote : bool
        Whether to make many at once from the start.
    """
    start = slow_calls = 0
    while start < len(items) and not is_remote and slow_calls < FEW_SLOW:
        start_time = time.perf_counter()
        yield partial(function, items[start])
        start += 1
        slow_calls = slow_calls + 1 if time.perf_counter() - start_time > slow else 0
    if start == len(items):
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures: deque[Future[R]] = deque()
        for item in items[start:]:
            futures.append(pool.submit(function, item))
            if len(futures) > 2 * AT_ONCE:
                yield futures.popleft().result
        while futures:
            yield futures.popleft().result


def results_in_order(function: Callable[[T], R], items: Sequence[T], slow: float = SLOW_LOOK) -> list[R]:
    """Results of a function for each of the items, as `calls_in_order` makes them."""
    return [call() for call in calls_in_order(function, items, slow)]
