"""Backend, page and report function on this machine, each in a process of its own."""
