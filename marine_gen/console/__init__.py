"""The console that the command line and the interactive loop share.

`report` words errors on stderr, `output` writes results on stdout, `inputs` and `host_file` read files of the user,
`logs` shows what guests log, `timings` the table of `bench`.
"""
