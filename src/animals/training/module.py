"""One training step, one validation step."""

from functools import partial
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from animals.config.training import TrainConfig
from animals.preprocess import InputSpec
from animals.training.augment import Augment, Normalize, in_parts, mix_up, to_unit
from animals.training.loader import Batch
from animals.training.optimizer import learning_rate_factor, make_optimizer


class PictureClassifier(pl.LightningModule):
    """A timm model with its loss and its optimizer.

    Args:
        model: one output a label.
        config: of the run.
        spec: how pictures are normalized.
        steps: of the optimizer in the whole run, for the learning rate's schedule.
    """

    def __init__(self, model: nn.Module, config: TrainConfig, spec: InputSpec, steps: int) -> None:
        super().__init__()
        layout = torch.channels_last if config.trainer.channels_last else torch.contiguous_format
        self.model = model.to(memory_format=layout)
        self.config = config
        self.normalize = Normalize(spec)
        self.augment = Augment(config.augment)
        self._steps = steps
        self._layout = layout
        if config.trainer.compile:
            self.model.compile()  # in its place, so that its weights keep their names

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of shape (pictures, labels) for pixels of shape (pictures, side, side, 3)."""
        return cast(Tensor, self.model(in_parts(self._as_they_are, pixels)))

    def _as_they_are(self, pixels: Tensor) -> Tensor:
        return self._input(to_unit(pixels))

    def _varied(self, pixels: Tensor, affine: Tensor, color: Tensor) -> Tensor:
        return self._input(self.augment(to_unit(pixels), affine, color))

    def _input(self, pictures: Tensor) -> Tensor:
        """The model's input for pictures in [0, 1], shape (pictures, 3, side, side)."""
        return cast(Tensor, self.normalize(pictures)).contiguous(memory_format=self._layout)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch, on varied pictures and smoothed targets."""
        pixels, targets = batch
        generator = self._seed_step(batch_idx)
        pictures = in_parts(self._varied, pixels, *self.augment.draw(len(pixels), generator, pixels.device))
        smoothing = self.config.trainer.label_smoothing
        if self.config.augment.mixup:
            pictures, others, share = mix_up(pictures, targets, self.config.augment.mixup, generator)
            logits = self.model(pictures)
            loss = share * functional.cross_entropy(logits, targets, label_smoothing=smoothing)
            loss = loss + (1 - share) * functional.cross_entropy(logits, others, label_smoothing=smoothing)
        else:
            logits = self.model(pictures)
            loss = functional.cross_entropy(logits, targets, label_smoothing=smoothing)
        self._log("train", loss, logits, targets)
        return loss

    def _seed_step(self, batch_idx: int) -> torch.Generator:
        """Chance that follows from the seed and the step alone, so that a step can be had again after a break.

        Returns:
            A generator for the augmentation. The global one, which dropout draws from, is seeded alike.
        """
        seed = (self.config.seed << 32) + (self.current_epoch << 20) + batch_idx
        torch.manual_seed(seed)
        return torch.Generator().manual_seed(seed)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Loss without smoothing, and accuracy."""
        pixels, targets = batch
        logits = self(pixels).float()
        self._log("val", functional.cross_entropy(logits, targets), logits, targets)

    def _log(self, split: str, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Sums over pictures, which Lightning divides once an epoch: batches may differ in size."""
        accuracy = (logits.argmax(1) == targets).float().mean()
        values = {f"{split}/loss": loss.detach(), f"{split}/accuracy": accuracy}
        if split == "train":
            values["lr"] = torch.tensor(self.trainer.optimizers[0].param_groups[0]["lr"])
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=len(targets), sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Lightning's form: an optimizer, and a schedule that moves on with each step."""
        precision, clips = self.trainer.precision, self.config.trainer.gradient_clip > 0
        # Lightning clips no gradients of a fused optimizer in mixed precision, whether or not they are scaled
        fused = precision == "32-true" or (precision == "bf16-mixed" and not clips)
        optimizer = make_optimizer(self.model, self.config.optimizer, fused=fused)
        factor = partial(learning_rate_factor, steps=self._steps, config=self.config.scheduler)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": "step"},
        }
