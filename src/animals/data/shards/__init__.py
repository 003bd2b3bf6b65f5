"""A data set as shards in a bucket: written once, then streamed by trainings that have no room for all of it."""
