"""One training step, one validation step, and what moves the weights."""

import math
from functools import partial
from typing import Any, cast

import pytorch_lightning as pl
import timm.optim
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from animals.config.training import SchedulerConfig, TrainConfig
from animals.preprocess import InputSpec
from animals.training.augment import Augment, Normalize, to_unit
from animals.training.loader import Batch


def learning_rate_factor(step: int, *, steps: int, config: SchedulerConfig) -> float:
    """Part of the highest learning rate that a step uses: up in a line, then down along a cosine or level."""
    warmup = round(steps * config.warmup)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if config.name == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


class PictureClassifier(pl.LightningModule):
    """A timm model with its loss and its optimizer."""

    def __init__(self, model: nn.Module, config: TrainConfig, spec: InputSpec) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)
        self.config = config
        self.normalize = Normalize(spec)
        self.augment = Augment(config.augment)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of shape (pictures, labels) for pixels of shape (pictures, side, side, 3)."""
        return cast(Tensor, self.model(self.normalize(to_unit(pixels))))

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of one batch, on varied pictures and smoothed targets."""
        pixels, targets = batch
        # from the step's number alone, so that a step can be had again after an interruption
        generator = torch.Generator().manual_seed((self.config.seed << 32) + self.global_step)
        logits = self.model(self.normalize(self.augment(to_unit(pixels), generator)))
        loss = functional.cross_entropy(logits, targets, label_smoothing=self.config.trainer.label_smoothing)
        self._log("train", loss, logits, targets)
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Loss without smoothing, and accuracy."""
        pixels, targets = batch
        logits = self(pixels).float()
        self._log("val", functional.cross_entropy(logits, targets), logits, targets)

    def _log(self, split: str, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Sums over pictures, which Lightning divides once an epoch: batches may differ in size."""
        accuracy = (logits.argmax(1) == targets).float().mean()
        values = {f"{split}/loss": loss.detach(), f"{split}/accuracy": accuracy}
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=len(targets))

    def configure_optimizers(self) -> Any:
        """Lightning's form: an optimizer, and a schedule that moves on with each step."""
        config = self.config.optimizer
        optimizer = timm.optim.create_optimizer_v2(
            self.model, opt=config.name, lr=config.lr, weight_decay=config.weight_decay
        )
        steps = int(self.trainer.estimated_stepping_batches)
        factor = partial(learning_rate_factor, steps=steps, config=self.config.scheduler)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": "step"},
        }
