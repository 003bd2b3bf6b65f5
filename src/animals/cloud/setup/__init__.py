"""Set up a project: everything that the system needs there, made if it is missing and never made twice."""
