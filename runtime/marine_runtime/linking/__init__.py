"""Linking of modules into a service, at load time and while it runs.

`linker` has the steps of linking a module, `context` the data and the state that its modules share, `instance` one
module as its glue sees it, `stub` stands for imports that are fused, `dynamic` adds and removes modules later.
"""
