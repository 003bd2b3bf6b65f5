"""All services on this machine, as processes of their own: `invoke up` and `invoke demo`."""
