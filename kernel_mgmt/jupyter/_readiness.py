"""Find out whether a kernel answers a client of jupyter_client, and whether what it publishes arrives."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Self

from ._inbox import Inbox, Message

__all__ = ("Probes",)

# How often to ask again while a kernel that has replied is not heard on iopub (seconds).
_ASK_AGAIN = 0.01
_ASK_AGAIN_MOST = 1.0


class Probes:
    """Asks a kernel for its info; nobody else is given what answers that.

    As long as the block lasts, what tells the start of a kernel is let go of, too.

    :param ask: sends a ``kernel_info_request``, and returns its id

    :ivar reply: the first reply
    :ivar pause: how long to wait for what is missing before asking again (seconds)
    """

    def __init__(self, shell: Inbox, iopub: Inbox, ask: Callable[[], Any]) -> None:
        self.reply: Message | None = None
        self.pause = inf
        self._shell = shell
        self._iopub = iopub
        self._ask = ask
        self._asked: list[str] = []
        self._welcomes = 0
        self._is_heard = False

    def __enter__(self) -> Self:
        self._iopub.ignores_welcome = self._iopub.ignores_start = True
        # What has come before proves nothing.
        self._iopub.fill()
        self._welcomes = self._iopub.welcomes
        self.ask_again(anew=True)
        return self

    def __exit__(self, *error: object) -> None:
        self._iopub.ignores_start = False
        for msg_id in self._asked:
            self._shell.ignore(msg_id)
            self._iopub.ignore(msg_id)

    def are_answered(self) -> bool:
        """Whether the kernel has replied and been heard: no message is lost from then on."""
        for msg_id in self._asked:
            self.reply = self.reply or self._shell.take(msg_id)
            self._is_heard = self._is_heard or self._iopub.take(msg_id) is not None
        self._is_heard = self._is_heard or self._iopub.welcomes > self._welcomes
        if self.reply is not None and self.pause == inf:
            self.pause = _ASK_AGAIN
        return self.reply is not None and self._is_heard

    def ask_again(self, *, anew: bool = False) -> None:
        """Ask again, if the kernel has replied and is not heard: what it published was lost.

        :param anew: ask in any case
        """
        if self.reply is None and not anew:
            return
        self.pause = min(2 * self.pause, _ASK_AGAIN_MOST)
        msg_id = self._ask()
        self._shell.claim(msg_id)
        self._iopub.claim(msg_id)
        self._asked.append(msg_id)
