"""Shared by both languages: grammar files, tokens, forms, literals, findings and the wording of errors."""
