"""Values on the Python side: checks, records, JSON, arguments, annotations."""
