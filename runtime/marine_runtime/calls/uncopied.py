"""Objects that can't leave their process."""

from __future__ import annotations

from marine_runtime.lazy.typing import ClassVar, NoReturn, SupportsIndex


class Uncopied:
    """An object that is tied to its process, and refuses to be copied or pickled: both would free the same things."""

    _advice: ClassVar[str]

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(f"{self!r} can't be pickled or copied: {self._advice}")
