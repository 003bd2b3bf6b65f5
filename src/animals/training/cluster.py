"""`animals cluster [OVERRIDE]...`: a training on one of several machines of Vertex AI, by torchrun.

Every machine of the job runs this; CLUSTER_SPEC tells each its place. torchrun starts one process for each GPU, and
ends those of a machine together when one fails, so that the job ends and can be started anew.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

from animals.errors import ConfigError
from animals.training.distributed import count_machines, vertex_variables


def command(spec: str, processes: int, overrides: Sequence[str]) -> list[str]:
    """What this machine starts.

    Args:
        spec: content of CLUSTER_SPEC.
        processes: on each machine.
        overrides: Hydra's.

    Raises:
        ConfigError: the spec is not of the form that Vertex AI documents.
    """
    found = vertex_variables(spec)
    return [
        *(sys.executable, "-m", "torch.distributed.run", f"--nnodes={count_machines(spec)}"),
        *(f"--node-rank={found['NODE_RANK']}", f"--nproc-per-node={processes}"),
        *(f"--master-addr={found['MASTER_ADDR']}", f"--master-port={found['MASTER_PORT']}"),
        *("-m", "animals", "train", *overrides),
    ]


def main(overrides: Sequence[str]) -> None:
    """Start this machine's part of a training, and end with its exit code.

    Raises:
        ConfigError: `CLUSTER_SPEC` is not set, or not of the form that Vertex AI documents.
    """
    spec = os.environ.get("CLUSTER_SPEC")
    if not spec:
        raise ConfigError("CLUSTER_SPEC is not set, so this is no machine of several. On one machine: animals train")
    import torch

    words = command(spec, torch.cuda.device_count() or 1, overrides)
    # SIGTERM must reach the training: torchrun hands it on, so torchrun takes the place of this process
    if os.name == "posix":
        os.execv(words[0], words)  # noqa: S606 - no shell is wanted
    raise SystemExit(subprocess.run(words, check=False).returncode)  # noqa: S603
