"""Set-up of a project: create what is missing of everything that the system needs there."""
