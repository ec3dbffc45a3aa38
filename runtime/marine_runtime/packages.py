"""The refusal of packages that were generated in format 1, which import this module."""

from __future__ import annotations

import sys

from marine_runtime.artifact.manifest import other_format
from marine_runtime.errors import LoadError

# The package is being imported: its frame is the first one outside the import system.
_frame = sys._getframe(1)
while _frame.f_back is not None and _frame.f_code.co_filename.startswith("<frozen importlib"):
    _frame = _frame.f_back
raise LoadError(other_format(_frame.f_code.co_filename.rpartition("/")[0] or ".", 1))
