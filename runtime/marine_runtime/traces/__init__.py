"""Traces of calls: instrumentation of adapters, and the recorder."""
