"""The console that the command line and the REPL share: reports, output, logs, inputs, interruption."""
