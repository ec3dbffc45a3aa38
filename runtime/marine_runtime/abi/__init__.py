"""The ABI between a module's adapters and its core Wasm: layouts, helper functions, link plans."""
