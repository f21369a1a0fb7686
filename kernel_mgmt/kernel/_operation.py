"""One operation on a kernel, at work in a task of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal, TypeAlias, TypeVar

from kernel_mgmt._background import BackgroundTask

T = TypeVar("T")

OperationName: TypeAlias = Literal["start", "restart", "recover", "shutdown"]


class Operation(BackgroundTask[T]):
    """Does its work when those before it have ended; whoever asks for it only waits.

    :param before: the operations before it
    :param wish: what exactly was asked for; an equal wish is the same operation
    """

    def __init__(
        self,
        name: OperationName,
        work: Callable[[], Awaitable[T]],
        before: Iterable[Operation[Any]],
        wish: object = None,
    ) -> None:
        self.name: OperationName = name
        self.wish = wish
        ahead = tuple(before)

        async def work_in_turn() -> T:
            for operation in ahead:
                await operation.ended()
            return await work()

        super().__init__(work_in_turn)
