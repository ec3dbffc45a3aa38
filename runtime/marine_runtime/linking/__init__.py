"""Linking of modules into a service, at load time and while it runs."""
