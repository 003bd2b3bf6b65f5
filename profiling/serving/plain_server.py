"""The plain way to serve: FastAPI, and torch in 32 bits in an `async def`.

    BENCH_VERSION=FOLDER uvicorn --factory profiling.serving.plain_server:create_app

The folder holds a model in timm's format.
"""

import os
from pathlib import Path
from typing import Any

import timm
import torch
from fastapi import FastAPI, UploadFile
from PIL import Image
from torchvision.transforms import Compose, Normalize, Resize, ToTensor


class PlainModel:
    """A model of timm, loaded from the folder of a version."""

    def __init__(self, version: Path) -> None:
        self._model = timm.create_model(f"local-dir:{version}", pretrained=True).eval()
        config: Any = self._model.pretrained_cfg
        self._labels = config["label_names"]
        _, *sides = config["input_size"]
        self._transform = Compose([Resize(sides), ToTensor(), Normalize(config["mean"], config["std"])])

    def classify(self, image: Image.Image) -> dict[str, float]:
        """Return the probabilities by label."""
        with torch.inference_mode():
            logits = self._model(self._transform(image.convert("RGB"))[None])
        return dict(zip(self._labels, logits.softmax(1)[0].tolist(), strict=True))


def create_app() -> FastAPI:
    """Return the application."""
    app = FastAPI()
    model = PlainModel(Path(os.environ["BENCH_VERSION"]))

    @app.post("/classify/")
    async def classify(file: UploadFile) -> dict[str, Any]:
        probabilities = model.classify(Image.open(file.file))
        prediction = max(probabilities, key=probabilities.__getitem__)
        return {"prediction": prediction, "confidence": probabilities[prediction], "probabilities": probabilities}

    return app
