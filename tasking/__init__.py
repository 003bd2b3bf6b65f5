"""What `tasks.py` is made of: tasks of this repository, and those that run a command of `animals`."""
