"""Which of several training processes this is, and how they find each other."""

import json
import logging
import os
from typing import Final

from animals.errors import ConfigError

log = logging.getLogger(__name__)

VERTEX_PORT: Final = "2222"
"""Port on which Vertex AI lets the machines of a job talk to each other."""


def is_first_process() -> bool:
    """Whether this is the one that writes, publishes and tells.

    `torchrun` sets RANK, Lightning sets LOCAL_RANK for the processes that it starts, a cluster sets NODE_RANK.
    """
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK"))


def join_cluster() -> None:
    """Take up the place that Vertex AI gave this machine, if it did: from now on as under any other cluster.

    Raises:
        ConfigError: `CLUSTER_SPEC` is not of the form that Vertex AI documents.
    """
    if spec := os.environ.get("CLUSTER_SPEC"):
        found = vertex_variables(spec)
        log.info("Machine %s; the first one is %s", found["NODE_RANK"], found["MASTER_ADDR"])
        for name, value in found.items():
            os.environ.setdefault(name, value)


def vertex_variables(spec: str) -> dict[str, str]:
    """What PyTorch wants to know, from what Vertex AI says.

    Args:
        spec: the JSON in `CLUSTER_SPEC`: the addresses of each worker pool, and this machine's pool and place in it.

    Returns:
        MASTER_ADDR, MASTER_PORT and NODE_RANK.
    """
    host, _, rank = _read(spec)
    return {"MASTER_ADDR": host, "MASTER_PORT": VERTEX_PORT, "NODE_RANK": str(rank)}


def count_machines(spec: str) -> int:
    """How many machines share the training, from the same JSON."""
    return _read(spec)[1]


def _read(spec: str) -> tuple[str, int, int]:
    """The first machine's address, how many there are, and which this is."""
    try:
        content = json.loads(spec)
        pools, task = content["cluster"], content["task"]
        machines = [(pool, index) for pool in sorted(pools) for index in range(len(pools[pool]))]
        host = pools["workerpool0"][0].partition(":")[0]
        rank = machines.index((task["type"], int(task["index"])))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"CLUSTER_SPEC is not what Vertex AI sets: {error!r} in {spec}") from error
    return host, len(machines), rank
