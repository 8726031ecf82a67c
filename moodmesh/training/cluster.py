"""Past one machine: landmark extraction on Dask, training on several TensorFlow workers.

Both are existing engines. Dask: `--dask tcp://host:8786` sends the chunks of pictures to a
cluster whose workers have moodmesh installed. TensorFlow: with TF_CONFIG set, each worker runs the
same command; every batch is split between them and the gradients are averaged, so the loss curve
is that of one machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

from moodmesh.errors import UserError
from moodmesh.training.landmark_cache import Chunk, ChunkResult, MapChunks

# Long enough for a scheduler in another building, short enough to notice a wrong address.
CONNECT_SECONDS = 15


def on_dask(address: str) -> MapChunks:
    """Maps chunks on the Dask cluster whose scheduler is at this address."""

    def map_chunks(
        function: Callable[[Chunk], ChunkResult], chunks: list[Chunk]
    ) -> Iterator[ChunkResult]:
        try:
            from distributed import Client, as_completed
        except ImportError as error:
            raise UserError(
                "Dask is not installed, so --dask cannot be used. Install it with: "
                "pip install distributed"
            ) from error
        try:
            client = Client(address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise UserError(
                f"No Dask scheduler answers at {address}. Start one with `dask scheduler`, or "
                "leave --dask out to use this machine."
            ) from error
        with client:
            if not client.scheduler_info(n_workers=-1)["workers"]:
                raise UserError(
                    f"The Dask scheduler at {address} has no workers. Start some with: "
                    f"dask worker {address}"
                )
            # Sending the largest batches of work first would not help: all chunks are alike.
            futures = client.map(function, chunks, pure=False)
            for _, result in as_completed(futures, with_results=True):
                yield result

    return map_chunks


def is_chief() -> bool:
    """Whether this process keeps checkpoints and writes the model: worker 0, or the only one."""
    try:
        task = json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {})
    except ValueError as error:
        raise UserError(f"TF_CONFIG is not JSON ({error}). Mend it, or unset it.") from error
    return task.get("type", "chief") == "chief" or task.get("index", 0) == 0


def has_workers() -> bool:
    """Whether TF_CONFIG names a cluster."""
    return "cluster" in os.environ.get("TF_CONFIG", "")
