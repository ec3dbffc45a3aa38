from collections.abc import Callable
from typing import Any, final

PROTOCOL: int

class GuardState:
    busy: Any
    owner: int
    failed: bool

@final
class Call:
    __wrapped__: Callable[..., Any]
    def __new__(
        cls,
        entry: Callable[..., Any],
        guard: GuardState,
        broken: Callable[[int], Any],
        settle: Callable[[], Any],
        keep: object,
        params: str,
        result: str,
        function: tuple[int, int, int, int, int, int],
        staging: tuple[int, int, int, int, bool],
        /,
    ) -> Call: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __getattr__(self, name: str) -> Any: ...

def memory_callbacks() -> tuple[int, int, int]: ...
