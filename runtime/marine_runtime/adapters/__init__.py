"""The contract between the linker and the engines, and the adapter code that is not generated."""
