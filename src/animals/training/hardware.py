"""What the machine can do."""

import platform
from pathlib import Path
from typing import Final, Literal

import torch

from animals.config.training import TrainerConfig
from animals.cpus import available_cpus
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


def processor() -> str:
    """What this machine computes with, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # no Linux
        return platform.processor() or platform.machine()


def describe_hardware(settings: TrainerConfig) -> str:
    """What a run trains on, such as `2 machines with 4 x NVIDIA L4`."""
    device = choose_device(settings.accelerator)
    devices = settings.devices or count_devices(device)
    gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if gpu else f"{processor()} ({available_cpus()} CPUs)"
    several = f"{devices} x {name}" if devices > 1 else name
    return f"{settings.nodes} machines with {several}" if settings.nodes > 1 else several
