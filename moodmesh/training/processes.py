"""Work shared out to processes of this machine, one a core."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from moodmesh.errors import UserError

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_processes(
    function: Callable[[Job], Result],
    jobs: Iterable[Job],
    start: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
    processes: int | None = None,
) -> Iterator[Result]:
    """The function's results, in the order in which they are ready.

    start: called with arguments in each process before its first job. processes: how many, one a
    core unless told. Raises UserError where one of them is killed (multiprocessing.Pool would wait
    for its answer for ever).
    """
    # A forked child would inherit MediaPipe's and TensorFlow's threads in an unusable state.
    pool = ProcessPoolExecutor(
        processes or os.cpu_count() or 1,
        multiprocessing.get_context("spawn"),
        initializer=start,
        initargs=arguments,
    )
    try:
        # No list of the futures is kept: it would hold every result until the end.
        for done in as_completed([pool.submit(function, job) for job in jobs]):
            yield done.result()
    except BrokenProcessPool as error:
        raise UserError(
            "A process that helped with this was ended from outside; perhaps memory ran out. "
            "What is finished is kept: start the same command again, and it goes on from there."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
