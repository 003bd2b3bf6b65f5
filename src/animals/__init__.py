"""A picture classifier whose whole life is in one place: data, training, export, publishing, serving."""
