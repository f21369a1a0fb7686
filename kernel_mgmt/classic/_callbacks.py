"""The restart callbacks of the classic managers, over the events of the kernel that is owned."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from kernel_mgmt.kernel import Kernel
    from kernel_mgmt.restarter._events import DiedEvent, RestartCallback, RestartEventName

__all__ = ("CallbackEvent", "RestartCallbacks")

CallbackEvent: TypeAlias = Literal["restart", "dead", "died", "restarted", "failed"]
"""The first two are those of jupyter_client, and their callbacks take no argument."""

_Wiring: TypeAlias = "list[tuple[RestartEventName, RestartCallback]]"


class RestartCallbacks:
    """The callbacks of a manager, which may be there before its kernel is."""

    def __init__(self) -> None:
        self._kernel: Kernel | None = None
        self._wired: list[tuple[Callable[..., object], CallbackEvent, _Wiring]] = []

    def attach(self, kernel: Kernel) -> None:
        """Call the callbacks at the events of a kernel from now on."""
        self._kernel = kernel
        for _, _, wiring in self._wired:
            self._connect(wiring)

    def add(
        self,
        callback: Callable[..., object],
        event: CallbackEvent,
        call: Callable[..., object] | None = None,
    ) -> None:
        """Call a function at each event of a kind.

        :param call: what is called in its place
        :raises ValueError: if there is no such event
        """
        wiring = _wire(callback if call is None else call, event)
        self._wired.append((callback, event, wiring))
        self._connect(wiring)

    def remove(self, callback: Callable[..., object], event: CallbackEvent) -> None:
        """Call a function no more; nothing happens if it was not."""
        removed = [entry for entry in self._wired if entry[:2] == (callback, event)]
        self._wired = [entry for entry in self._wired if entry not in removed]
        for _, _, wiring in removed:
            for name, wired in wiring:
                if self._kernel is not None:
                    self._kernel.remove_callback(wired, name)

    def _connect(self, wiring: _Wiring) -> None:
        for name, wired in wiring:
            if self._kernel is not None:
                self._kernel.add_callback(wired, name)


def _wire(callback: Callable[..., object], event: CallbackEvent) -> _Wiring:
    def call(_: Any) -> object:
        return callback()

    def call_if_restarting(died: DiedEvent) -> object:
        return callback() if died["restarting"] else None

    def call_if_dead(died: DiedEvent) -> object:
        dead = not died["restarting"] and not died["manager"].asked_to_end
        return callback() if dead else None

    match event:
        case "restart":
            return [("died", call_if_restarting)]
        case "dead":
            return [("died", call_if_dead), ("failed", call)]
        case "died" | "restarted" | "failed":
            return [(event, callback)]
        case _:
            raise ValueError(f"there is no event {event!r}; use restart or dead")
