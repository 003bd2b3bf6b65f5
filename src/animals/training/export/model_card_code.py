"""The code on a model card, which runs in the folder of the version's files and a picture."""

from string import Template
from typing import Final

from animals.inference import ONNX_INPUT, ONNX_OUTPUT
from animals.records import Card

_TIMM: Final = Template("""\
import timm
import torch
from PIL import Image, ImageOps

model = timm.create_model("local-dir:.", pretrained=True).eval()
prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
picture = ImageOps.exif_transpose(Image.open("picture.jpg")).convert("RGB")
with torch.inference_mode():
    logits = model(prepare(picture)[None])[0]
shares = (logits / $temperature).softmax(-1)  # the temperature makes them probabilities
for label, share in zip(model.pretrained_cfg["label_names"], shares.tolist(), strict=True):
    print(f"{label}: {share:.4f}")
""")

_ONNX: Final = Template("""\
import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

card = json.loads(Path("card.json").read_text(encoding="utf-8"))
spec = card["input"]
picture = ImageOps.exif_transpose(Image.open("picture.jpg")).convert("RGB")
$box
small = picture.resize((spec["side"], spec["side"]), Image.Resampling.$interpolation, box)
pixels = (np.asarray(small) / 255 - spec["mean"]) / spec["std"]
session = onnxruntime.InferenceSession("$file", providers=["CPUExecutionProvider"])
batch = pixels.transpose(2, 0, 1)[None].astype(np.float32)
[[logits]] = session.run(["$output"], {"$input": batch})
powers = np.exp((logits - logits.max()) / card["temperature"])
for label, share in zip(card["labels"], powers / powers.sum(), strict=True):
    print(f"{label}: {share:.4f}")
""")

_ALL: Final = "box = (0, 0, *picture.size)  # the whole picture, squashed"
_CENTER: Final = """\
kept = min(picture.size) * spec["crop_pct"]
left, top = (picture.width - kept) / 2, (picture.height - kept) / 2
box = (left, top, left + kept, top + kept)"""


def how_to_use(card: Card) -> str:
    """Return the section on usage, with code for timm and for ONNX Runtime."""
    onnx_code = _ONNX.substitute(
        box=_CENTER if card.input.resize == "center" else _ALL,
        interpolation=card.input.interpolation.upper(),
        file=card.serving_file,
        output=ONNX_OUTPUT,
        input=ONNX_INPUT,
    )
    return f"""\
In a folder with the files of this version and a `picture.jpg`, with timm:

```python
{_TIMM.substitute(temperature=card.temperature)}```

With ONNX Runtime, without torch, and the file that serves:

```python
{onnx_code}```

With the backend that `invoke serve` starts:

```sh
curl -X POST -F "file=@picture.jpg" http://localhost:8000/classify/
```"""
