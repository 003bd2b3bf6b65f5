"""Transfer learning: features of a frozen network, a head on them, fine-tuning from there."""
