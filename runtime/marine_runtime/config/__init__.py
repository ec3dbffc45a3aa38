"""Service configuration: the model, its TOML form, and the checks of its requirements on the host."""
