"""The sample set: generated pictures of ten animals."""
