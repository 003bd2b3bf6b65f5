"""What the machine can do."""

from typing import Final, Literal

import torch

from animals.errors import ConfigError

LightningPrecision = Literal["bf16-mixed", "16-mixed", "32-true"]
LIGHTNING_PRECISION: Final[dict[str, LightningPrecision]] = {
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
    "fp32": "32-true",
}


def choose_device(accelerator: str) -> torch.device:
    """The device behind a name: `cpu`, `gpu`, `mps`, or for `auto` the first of gpu, mps and cpu that is there.

    Raises:
        ConfigError: the device is not there.
    """
    there = {"gpu": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    name = next(name for name, found in there.items() if found) if accelerator == "auto" else accelerator
    if not there[name]:
        raise ConfigError(f"trainer.accelerator={name}, but this machine has none. Use trainer.accelerator=auto.")
    return torch.device("cuda" if name == "gpu" else name)


def choose_precision(precision: str, device: torch.device) -> str:
    """`bf16`, `fp16` or `fp32` as it is; for `auto` the fastest that the device computes in by itself.

    A CPU without bfloat16 instructions would emulate it, slower than fp32.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type == "cpu":
        found = torch.cpu.get_capabilities()
        return "bf16" if found.get("avx512_bf16") or found.get("amx_bf16") else "fp32"
    return "fp32"


def count_devices(device: torch.device) -> int:
    """How many of a kind this machine has; a CPU counts as one, since all its cores work on one batch."""
    return torch.cuda.device_count() if device.type == "cuda" else 1
