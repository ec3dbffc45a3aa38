"""Service configuration: the model, its TOML form, and the checks of what it asks of the host."""
