"""Take whole channels out of a network, and train what is left a little."""

import warnings
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch
from torch import nn

from animals.config.training import TrainConfig
from animals.data.dataset import DataSet
from animals.errors import NotConvertible
from animals.training.module import PictureClassifier
from animals.training.trainer import fit

GENTLER: Final = 10
"""The learning rate is a so-manyth of the run's: the weights are nearly where they should be."""

# what torch-pruning raises for layers that it does not understand, and torch for a network that no longer fits together
_UNKNOWN_LAYERS: Final = (ValueError, TypeError, RuntimeError, AttributeError, LookupError, AssertionError)


def pruned(model: nn.Module, data_set: DataSet, config: TrainConfig, *, channels: float, epochs: int) -> nn.Module:
    """A narrower network, on the CPU.

    Args:
        model: of timm, trained; it is changed.
        data_set: the pictures that it was trained with.
        config: of its run. The same settings train it, but for a lower learning rate.
        channels: part of every layer's channels that goes: those with the smallest weights.
        epochs: to train what is left.

    Raises:
        NotConvertible: the network has layers that cannot be made narrower.
    """
    take_out(model, data_set.spec.side, channels)
    trainer = replace(config.trainer, epochs=epochs, patience=0, devices=1, nodes=1, compile=False, resume="never")
    optimizer = replace(config.optimizer, lr=config.optimizer.lr / GENTLER)
    model.train()
    with TemporaryDirectory() as run:
        module = PictureClassifier(
            model,
            data_set.spec,
            trainer=trainer,
            augment=config.augment,
            optimizer=optimizer,
            scheduler=config.scheduler,
            seed=config.seed,
        )
        trained = fit(module, data_set, Path(run), trainer, seed=config.seed)
    assert trained is not None  # on one device there is no other process  # noqa: S101
    return trained.model.cpu().eval().to(memory_format=torch.contiguous_format)


def take_out(model: nn.Module, side: int, channels: float) -> None:
    """Take part of every layer's channels out of a network, except of the last layer's.

    Args:
        model: of timm.
        side: of its pictures.
        channels: the part.

    Raises:
        NotConvertible: the network has layers that cannot be made narrower.
    """
    import torch_pruning  # here: nothing else needs it

    example = torch.zeros(1, 3, side, side)
    head: Any = model.get_classifier()  # type: ignore[operator]
    model.eval()
    try:
        with warnings.catch_warnings():
            # of parameters that belong to no layer, which are pruned too
            warnings.filterwarnings("ignore", "Unwrapped parameters detected", UserWarning)
            pruner = torch_pruning.pruner.BasePruner(
                model,
                example,
                importance=torch_pruning.importance.GroupMagnitudeImportance(),
                pruning_ratio=channels,
                ignored_layers=[head],
                round_to=8,  # what vector instructions work on at once
            )
        pruner.step()
        with torch.inference_mode():
            model(example)
    except _UNKNOWN_LAYERS as error:
        raise NotConvertible(
            f"torch-pruning cannot make this network narrower ({type(error).__name__}: {error})"
        ) from error
