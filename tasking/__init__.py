"""What `tasks.py` names: a module for each group of tasks, whose docstring is the group's heading."""
