"""Many short runs that search for better settings."""
