"""Classify any number of pictures from the command line: `animals classify`."""
