"""Error numbers of WASI."""

from __future__ import annotations

BADF, ILSEQ, INVAL, MFILE, NAMETOOLONG, NOMEM, NOTDIR, NOTSOCK = 8, 25, 28, 33, 37, 48, 54, 57
