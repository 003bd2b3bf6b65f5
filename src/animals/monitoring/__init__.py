"""How the model does in use: feedback and predictions are read, reported on, and decide when to train again."""
