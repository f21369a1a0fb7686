"""The outputs of code as JSON, for other programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from kernel_mgmt.client._lenient import content_of, text_of
from kernel_mgmt.client._outputs import OutputFolder

from ._terminal import print_json

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message

__all__ = ("JSONOutputs",)


class JSONOutputs:
    """Gathers what a kernel publishes for code, and prints it in the end, as nbformat 4 has it."""

    def __init__(self) -> None:
        self._folder = OutputFolder()
        self._count: object = None

    def show(self, message: Message) -> None:
        """Take a message of iopub."""
        if message.msg_type == "execute_input":
            self._count = content_of(message).get("execution_count")
        self._folder.add(message)

    def end(self, reply: Mapping[str, object]) -> None:
        """Print the outputs, and the status of the reply; ``unfinished`` if there is none."""
        result = {
            "status": text_of(reply.get("status")) or "unfinished",
            "execution_count": reply.get("execution_count", self._count),
            "outputs": self._folder.outputs,
        }
        print_json(_finite(result))


def _finite(value: object) -> object:
    """Return a value with null for NaN and the infinities, which JSON does not have."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(item) for key, item in cast("dict[str, object]", value).items()}
        case list():
            return [_finite(item) for item in cast("list[object]", value)]
        case _:
            return value
