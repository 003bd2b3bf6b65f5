"""A picture classifier whose whole life is in one place: data, training, export, publishing, serving."""

import os

# ONNX Runtime and Evidently send usage data about models and reports unless it is switched off, in the
# environment and before they are imported. Here is before every import of them.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")
