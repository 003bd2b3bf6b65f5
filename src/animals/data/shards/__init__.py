"""Shards: a data set as tar files in a bucket, for trainings that stream it instead of storing it."""
