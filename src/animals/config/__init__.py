"""Settings: the typed Hydra schema of a training run, and the environment variables of the services."""
