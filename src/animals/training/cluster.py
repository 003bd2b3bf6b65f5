"""`python -m animals.training.cluster [overrides]`: start torchrun on one of several machines of Vertex AI.

Every machine of the job runs this; CLUSTER_SPEC holds its rank. torchrun starts one process for each GPU, and ends
those of a machine together when one fails, so that the job ends and can be restarted.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from animals.cli import exit_on_error
from animals.errors import ConfigError
from animals.training.distributed import count_machines, vertex_variables

MODULE: Final = "animals.training"


def torchrun_command(spec: str, processes: int, overrides: Sequence[str]) -> list[str]:
    """Return the command that starts the training's processes on this machine.

    Args:
        spec: content of CLUSTER_SPEC.
        processes: number of processes on each machine.
        overrides: Hydra's.

    Raises:
        ConfigError: the spec does not have the form that Vertex AI documents.
    """
    variables = vertex_variables(spec)
    return [
        *(sys.executable, "-m", "torch.distributed.run", f"--nnodes={count_machines(spec)}"),
        *(f"--node-rank={variables['NODE_RANK']}", f"--nproc-per-node={processes}"),
        *(f"--master-addr={variables['MASTER_ADDR']}", f"--master-port={variables['MASTER_PORT']}"),
        *("-m", MODULE, *overrides),
    ]


def main() -> None:
    """Start this machine's processes, and exit with torchrun's code."""
    with exit_on_error():
        spec = os.environ.get("CLUSTER_SPEC")
        if not spec:
            raise ConfigError(
                "CLUSTER_SPEC is not set: only a job of several machines has it. On one: python -m animals.training"
            )
        import torch

        command = torchrun_command(spec, torch.cuda.device_count() or 1, sys.argv[1:])
        # SIGTERM must reach the training: torchrun passes it on, so torchrun replaces this process
        if os.name == "posix":
            os.execv(command[0], command)  # noqa: S606 - no shell is wanted
        raise SystemExit(subprocess.run(command, check=False).returncode)  # noqa: S603


if __name__ == "__main__":
    main()
