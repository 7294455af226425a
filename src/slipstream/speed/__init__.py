"""How fast this machine can be, how fast a run was, and what kept it from being faster."""
