"""Ranks of training processes, and the environment variables by which PyTorch connects them."""

import json
import logging
import os
from typing import Final

from animals.errors import ConfigError

log = logging.getLogger(__name__)

VERTEX_PORT: Final = "2222"
"""Port that Vertex AI opens between the machines of a job."""


def is_first_process() -> bool:
    """Return whether this process has rank 0: it writes, logs and publishes.

    `torchrun` sets RANK, Lightning sets LOCAL_RANK for the processes that it starts, a cluster sets NODE_RANK.
    """
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK"))


def join_cluster() -> None:
    """Set PyTorch's environment variables from `CLUSTER_SPEC`, on a machine of Vertex AI, unless they are set.

    Raises:
        ConfigError: `CLUSTER_SPEC` does not have the form that Vertex AI documents.
    """
    if spec := os.environ.get("CLUSTER_SPEC"):
        variables = vertex_variables(spec)
        log.info("Machine %s; the first one is %s", variables["NODE_RANK"], variables["MASTER_ADDR"])
        for name, value in variables.items():
            os.environ.setdefault(name, value)


def vertex_variables(spec: str) -> dict[str, str]:
    """Return PyTorch's environment variables for this machine.

    Args:
        spec: the JSON in `CLUSTER_SPEC`: the addresses of each worker pool, and this machine's pool and index in it.

    Returns:
        MASTER_ADDR, MASTER_PORT and NODE_RANK.
    """
    host, _, rank = _parse(spec)
    return {"MASTER_ADDR": host, "MASTER_PORT": VERTEX_PORT, "NODE_RANK": str(rank)}


def count_machines(spec: str) -> int:
    """Return the number of machines, from the same JSON."""
    return _parse(spec)[1]


def _parse(spec: str) -> tuple[str, int, int]:
    """Return the first machine's address, the number of machines, and the rank of this one."""
    try:
        content = json.loads(spec)
        pools, task = content["cluster"], content["task"]
        machines = [(pool, index) for pool in sorted(pools) for index in range(len(pools[pool]))]
        host = pools["workerpool0"][0].partition(":")[0]
        rank = machines.index((task["type"], int(task["index"])))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"CLUSTER_SPEC is not what Vertex AI sets: {error!r} in {spec}") from error
    return host, len(machines), rank
