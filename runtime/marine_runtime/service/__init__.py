"""A running service: its calls, its modules as attributes, and its interface."""
