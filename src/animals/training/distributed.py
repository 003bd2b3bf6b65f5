"""Ranks of training processes, and the start of torchrun on several machines of Vertex AI.

Every machine of such a job runs `animals cluster [OVERRIDE]...`. torchrun starts one process for
each GPU, connects them, and ends those of a machine together when one fails, so that the job ends and can be restarted.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from animals.errors import ConfigError

VERTEX_PORT: Final = "2222"
"""Port that Vertex AI opens between the machines of a job."""


def is_first_process() -> bool:
    """Return whether this process has rank 0: it writes, logs and publishes.

    `torchrun` sets RANK, Lightning sets LOCAL_RANK for the processes that it starts, a cluster sets NODE_RANK.
    """
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK"))


def torchrun_command(spec: str, processes: int, overrides: Sequence[str]) -> list[str]:
    """Return the command that starts the training's processes on this machine.

    Args:
        spec: the JSON in `CLUSTER_SPEC`: the addresses of each worker pool, and this machine's pool and index in it.
        processes: number of processes on each machine.
        overrides: Hydra's.

    Raises:
        ConfigError: the spec does not have the form that Vertex AI documents.
    """
    try:
        content = json.loads(spec)
        pools, task = content["cluster"], content["task"]
        machines = [(pool, index) for pool in sorted(pools) for index in range(len(pools[pool]))]
        first = pools["workerpool0"][0].partition(":")[0]
        rank = machines.index((task["type"], int(task["index"])))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"CLUSTER_SPEC is not what Vertex AI sets: {error!r} in {spec}") from error
    return [
        *(sys.executable, "-m", "torch.distributed.run", f"--nnodes={len(machines)}", f"--node-rank={rank}"),
        *(f"--nproc-per-node={processes}", f"--master-addr={first}", f"--master-port={VERTEX_PORT}"),
        *("-m", "animals", "train", *overrides),
    ]


def main(overrides: Sequence[str]) -> None:
    """Start this machine's processes, and exit with torchrun's code.

    Raises:
        ConfigError: `CLUSTER_SPEC` is not set, or does not have the form that Vertex AI documents.
    """
    spec = os.environ.get("CLUSTER_SPEC")
    if not spec:
        raise ConfigError("CLUSTER_SPEC is not set: only a job of several machines has it. On one: animals train")
    import torch

    command = torchrun_command(spec, torch.cuda.device_count() or 1, overrides)
    # SIGTERM must reach the training: torchrun passes it on, so torchrun replaces this process
    if os.name == "posix":
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    raise SystemExit(subprocess.run(command, check=False).returncode)  # noqa: S603
