"""The backend: a picture comes in over HTTP, an answer goes out; ONNX Runtime computes it."""
