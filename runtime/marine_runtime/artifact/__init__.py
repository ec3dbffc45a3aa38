"""Built directories: the manifest, loading, the cache of machine code, typed packages."""
