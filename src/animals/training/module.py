"""The network as a Lightning module: one training step, one validation step, the optimizer."""

from functools import partial
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Timer
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from animals.config.training import AugmentConfig, OptimizerConfig, SchedulerConfig, TrainConfig, TrainerConfig
from animals.data.dataset import DataSet
from animals.preprocess import InputSpec
from animals.training.augment import Augment, Normalize, in_chunks, mix_up, to_unit
from animals.training.loader import Batch
from animals.training.model import build_model
from animals.training.optimizer import learning_rate_factor, make_optimizer


class PictureClassifier(pl.LightningModule):
    """A timm model with its loss and its optimizer.

    `trainer` gives memory layout, compilation, label smoothing and clipping; `seed` is of augmentation and dropout;
    `label_weights`, shape (labels,), weigh each label's pictures in the training loss.
    """

    label_weights: Tensor | None

    def __init__(
        self,
        model: nn.Module,
        spec: InputSpec,
        *,
        trainer: TrainerConfig,
        augment: AugmentConfig,
        optimizer: OptimizerConfig,
        scheduler: SchedulerConfig,
        seed: int,
        label_weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("label_weights", label_weights, persistent=False)
        self.layout = torch.channels_last if trainer.channels_last else torch.contiguous_format
        self.model = model.to(memory_format=self.layout)
        self.normalize = Normalize(spec)
        self.augment = Augment(augment)
        self.optimizer_config = optimizer
        self.scheduler_config = scheduler
        self.mixup = augment.mixup
        self.label_smoothing = trainer.label_smoothing
        self.clips_gradients = trainer.gradient_clip > 0
        self.seed = seed
        if trainer.compile:
            self.model.compile()  # in place, so that its weights keep their names

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits of shape (pictures, labels) for uint8 pixels of shape (pictures, side, side, 3)."""
        return cast(Tensor, self.model(in_chunks(self._prepare, pixels)))

    def _prepare(self, pixels: Tensor) -> Tensor:
        return self._to_input(to_unit(pixels))

    def _prepare_varied(self, pixels: Tensor, affine: Tensor, color: Tensor) -> Tensor:
        return self._to_input(self.augment(to_unit(pixels), affine, color))

    def _to_input(self, pictures: Tensor) -> Tensor:
        """Return the model's input for pictures in [0, 1], shape (pictures, 3, side, side)."""
        return cast(Tensor, self.normalize(pictures)).contiguous(memory_format=self.layout)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch, on varied pictures and smoothed targets."""
        pixels, targets = batch
        generator = self._seed_step(batch_idx)
        amounts = self.augment.draw(len(pixels), generator, pixels.device)
        pictures = in_chunks(self._prepare_varied, pixels, *amounts)
        if self.mixup:
            pictures, other_targets, share = mix_up(pictures, targets, self.mixup, generator)
            logits = self.model(pictures)
            loss = share * self._loss(logits, targets) + (1 - share) * self._loss(logits, other_targets)
        else:
            logits = self.model(pictures)
            loss = self._loss(logits, targets)
        self._log("train", loss, logits, targets)
        return loss

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(
            logits, targets, weight=self.label_weights, label_smoothing=self.label_smoothing
        )

    def _seed_step(self, batch_idx: int) -> torch.Generator:
        """Seed augmentation and dropout from seed, epoch and batch alone, so that a resumed run repeats a step exactly.

        Returns:
            A generator for the augmentation. Dropout draws from torch's global generator, which has the same seed.
        """
        seed = (self.seed << 32) + (self.current_epoch << 20) + batch_idx
        torch.manual_seed(seed)
        return torch.Generator().manual_seed(seed)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log the loss without smoothing, and the accuracy."""
        pixels, targets = batch
        logits = self(pixels).float()
        self._log("val", functional.cross_entropy(logits, targets), logits, targets)

    def _log(self, split: str, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Log means over a batch; Lightning weights them by its size, since batches may differ in size."""
        accuracy = (logits.argmax(1) == targets).float().mean()
        values = {f"{split}/loss": loss.detach(), f"{split}/accuracy": accuracy}
        if split == "train":
            values["lr"] = torch.tensor(self.trainer.optimizers[0].param_groups[0]["lr"])
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=len(targets), sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Return an optimizer, and a learning rate schedule that advances with each step, in Lightning's form."""
        precision = self.trainer.precision
        # Lightning does not clip gradients of a fused optimizer in mixed precision, whether they are scaled or not
        fused = precision == "32-true" or (precision == "bf16-mixed" and not self.clips_gradients)
        optimizer = make_optimizer(self.model, self.optimizer_config, fused=fused)
        callbacks = cast(Any, self.trainer).callbacks  # which Lightning's types leave out
        timer = next((callback for callback in callbacks if isinstance(callback, Timer)), None)
        if timer:
            factor = partial(_factor_by_time, timer=timer, config=self.scheduler_config)
        else:
            steps = int(self.trainer.estimated_stepping_batches)
            factor = partial(learning_rate_factor, steps=steps, config=self.scheduler_config)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": "step"},
        }


def _factor_by_time(_: int, *, timer: Timer, config: SchedulerConfig) -> float:
    """Return the fraction of the highest learning rate at this moment of a training whose duration is fixed."""
    spent, left = timer.time_elapsed(), max(0.0, timer.time_remaining() or 0.0)
    return learning_rate_factor(round(1000 * spent), steps=round(1000 * (spent + left)), config=config)


def build_module(config: TrainConfig, data_set: DataSet, model: nn.Module | None = None) -> PictureClassifier:
    """Seed the random generators, and return the network that a run begins with.

    Args:
        config: of the run.
        data_set: the pictures.
        model: the network; None: an untrained or pretrained one, as `config.model` says.

    Raises:
        AnimalsError: pretrained weights are configured, not cached, and cannot be downloaded.
    """
    pl.seed_everything(config.seed, workers=True, verbose=False)
    return PictureClassifier(
        model or build_model(config.model, len(data_set.labels), config.data.side),
        data_set.spec,
        trainer=config.trainer,
        augment=config.augment,
        optimizer=config.optimizer,
        scheduler=config.scheduler,
        seed=config.seed,
        label_weights=_balance(data_set) if config.data.balance else None,
    )


def _balance(data_set: DataSet) -> Tensor:
    """Return the weight of each label: the same in sum for all, 1 in the mean over the training pictures."""
    counts = data_set.label_counts("train")
    present = sum(counts[label] > 0 for label in data_set.labels)
    weights = [counts.total() / (present * counts[label]) if counts[label] else 0.0 for label in data_set.labels]
    return torch.tensor(weights)
