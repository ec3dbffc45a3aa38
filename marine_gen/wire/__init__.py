"""The protocol between `marine_gen.serve` and its clients: forms of JSON, problem codes, the interface as a document.

Nothing here knows HTTP libraries; `serve` and `client` share it.
"""
