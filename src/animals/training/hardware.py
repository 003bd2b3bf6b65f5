"""Devices and precision of this machine."""

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
    """Return the device `cpu`, `gpu` or `mps`; for `auto` the first of gpu, mps and cpu that this machine has.

    Raises:
        ConfigError: this machine does not have the device.
    """
    available = {"gpu": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    name = next(name for name, has in available.items() if has) if accelerator == "auto" else accelerator
    if not available[name]:
        raise ConfigError(f"trainer.accelerator={name}, but this machine has none. Use trainer.accelerator=auto.")
    return torch.device("cuda" if name == "gpu" else name)


def choose_precision(precision: str, device: torch.device) -> str:
    """Return `bf16`, `fp16` or `fp32`; for `auto` the fastest that the device has instructions for.

    A CPU without bfloat16 instructions would emulate them, slower than fp32.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return "bf16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "fp32"
    return "fp32"


def count_devices(device: torch.device) -> int:
    """Return the number of such devices; a CPU counts as one, since all its cores work on one batch."""
    return torch.cuda.device_count() if device.type == "cuda" else 1


def processor() -> str:
    """Return the name of this machine's CPU, as far as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # no Linux
        return platform.processor() or platform.machine()


def describe_hardware(config: TrainerConfig) -> str:
    """Return the hardware that a run trains on, such as `2 machines with 4 x NVIDIA L4`."""
    device = choose_device(config.accelerator)
    devices = config.devices or count_devices(device)
    gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if gpu else f"{processor()} ({available_cpus()} CPUs)"
    several = f"{devices} x {name}" if devices > 1 else name
    return f"{config.nodes} machines with {several}" if config.nodes > 1 else several
