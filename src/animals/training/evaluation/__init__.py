"""The evaluation of a model: metrics, calibration, unknowns, robustness, comparison with another version."""
