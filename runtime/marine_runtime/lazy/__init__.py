"""Things that are made when they are first used: exports, methods of dataclasses, signatures, rows; a lock for it."""
