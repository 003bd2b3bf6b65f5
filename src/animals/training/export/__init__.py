"""The export of a trained model: ONNX in 32 and 8 bits, timm's hub format, cards."""
