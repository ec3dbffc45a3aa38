"""Things that are made when they are first used: exports of packages, methods of dataclasses, signatures, rows."""
