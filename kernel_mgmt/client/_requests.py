"""What a kernel can be asked and told (messaging spec 5.5, JEP 91)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from ._request import PATIENT, Patience

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import Channel

    from ._request import Request

__all__ = ("KernelRequests",)

# These get no reply, so what they set off has no end that could be seen.
_WITHOUT_REPLY = ("comm_open", "comm_msg", "comm_close")


class KernelRequests(ABC):
    """The requests, one method each, which send at the call.

    Not every kernel answers every request, and what a kernel tells about its features is not always
    true, so give those that may stay silent a time limit.
    """

    def execute(
        self,
        code: str,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: Mapping[str, str] | None = None,
        allow_stdin: bool | None = None,
        stop_on_error: bool = True,
        interrupt_timeout: float | None = None,
        idle_timeout: float | None = None,
        raise_on_no_idle: bool = False,
        *,
        subshell_id: str | None = None,
        collect: bool = True,
    ) -> Request:
        """Run code in the kernel.

        Awaiting the request waits for the reply **and** for ``idle``, so that everything that the
        code published has arrived. A reply with ``status: "error"`` is returned, not raised.

        :param silent: run it without publishing, counting or storing it in the history
        :param user_expressions: expressions by name; their values come with the reply
        :param allow_stdin: whether the code may ask for input; by default, whether there is a
            handler for the channel ``stdin``
        :param stop_on_error: whether an error aborts the requests queued behind this one
        :param interrupt_timeout: interrupt the kernel if it has not replied after so many seconds;
            it is counted while the request is awaited or iterated
        :param idle_timeout: how long to wait for ``idle`` after the reply, in seconds; by default,
            until nothing has been published for 4 seconds, or for one if nothing came for this
            request at all
        :param raise_on_no_idle: whether to raise :exc:`TimeoutError` if it does not come; otherwise
            the request is marked as incomplete
        :param subshell_id: the subshell to run it in; the main shell when ``None``
        :param collect: whether what is published is kept for the request; handlers see it anyway
        """
        content = {
            "code": code,
            "silent": silent,
            "store_history": store_history,
            "user_expressions": dict(user_expressions or {}),
            "allow_stdin": self._can_answer() if allow_stdin is None else allow_stdin,
            "stop_on_error": stop_on_error,
        }
        return self._request(
            "shell",
            "execute_request",
            content,
            header=_in_subshell(subshell_id),
            until_idle=True,
            collect=collect,
            patience=Patience(
                self._start_interrupt, interrupt_timeout, idle_timeout, raise_on_no_idle
            ),
        )

    async def interrupt(self) -> Message | None:
        """Interrupt the kernel, in the way that its kernel type asks for.

        :return: the reply of a kernel that is interrupted by message; ``None`` for a signal
        :raises InterruptUnsupportedError: if neither would interrupt it
        """
        request = await self._start_interrupt()
        return None if request is None else await request

    def complete(
        self, code: str, cursor_pos: int | None = None, *, subshell_id: str | None = None
    ) -> Request:
        """Ask how code may go on.

        :param cursor_pos: in characters; the end of the code when ``None``
        """
        content = {"code": code, "cursor_pos": _position(code, cursor_pos)}
        header = _in_subshell(subshell_id)
        return self._request("shell", "complete_request", content, header=header)

    def inspect(
        self,
        code: str,
        cursor_pos: int | None = None,
        detail_level: Literal[0, 1] = 0,
        *,
        subshell_id: str | None = None,
    ) -> Request:
        """Ask what is known of the thing at the cursor.

        :param cursor_pos: in characters; the end of the code when ``None``
        :param detail_level: 1 asks for more, such as the source
        """
        content = {
            "code": code,
            "cursor_pos": _position(code, cursor_pos),
            "detail_level": detail_level,
        }
        header = _in_subshell(subshell_id)
        return self._request("shell", "inspect_request", content, header=header)

    def history(
        self,
        raw: bool = True,
        output: bool = False,
        hist_access_type: Literal["range", "tail", "search"] = "range",
        **kwargs: object,
    ) -> Request:
        """Ask for what was executed.

        :param raw: as it was typed, rather than as it was transformed
        :param output: with what came out
        :param hist_access_type: ``range`` takes ``session``, ``start`` and ``stop``; ``tail`` takes
            ``n``; ``search`` takes ``pattern``, ``unique`` and ``n``
        """
        if hist_access_type == "range":
            kwargs = {"session": 0, "start": 0, **kwargs}
        content = {"raw": raw, "output": output, "hist_access_type": hist_access_type, **kwargs}
        return self._request("shell", "history_request", content)

    def is_complete(self, code: str) -> Request:
        """Ask whether code can be run as it stands, or wants another line."""
        return self._request("shell", "is_complete_request", {"code": code})

    def kernel_info(self, *, channel: Literal["shell", "control"] = "shell") -> Request:
        """Ask what the kernel is; on control, which some leave silent, also one that is busy."""
        return self._request(channel, "kernel_info_request", {})

    def comm_info(self, target_name: str | None = None) -> Request:
        """Ask which comms are open, for one target or for all."""
        content = {} if target_name is None else {"target_name": target_name}
        return self._request("shell", "comm_info_request", content)

    def interrupt_request(self) -> Request:
        """Interrupt the kernel by a message, which not every kernel heeds; see ``interrupt``."""
        return self._request("control", "interrupt_request", {})

    def shutdown(self, restart: bool = False) -> Request:
        """Ask the kernel to end; its death counts as the reply.

        :param restart: whether the kernel is told that another one follows it
        """
        answer = {"status": "ok", "restart": restart}
        content = {"restart": restart}
        return self._request("control", "shutdown_request", content, reply_of_death=answer)

    def debug(
        self, command: str, arguments: Mapping[str, object] | None = None, *, seq: int = 1
    ) -> Request:
        """Send a request of the Debug Adapter Protocol; its events come on iopub.

        :param seq: the number of the request, which counts up from 1
        """
        content = {"type": "request", "seq": seq, "command": command, "arguments": arguments or {}}
        return self._request("control", "debug_request", content)

    def usage(self) -> Request:
        """Ask what the kernel uses of the machine; an extension of ipykernel."""
        return self._request("control", "usage_request", {})

    def create_subshell(self) -> Request:
        """Ask for a subshell, which runs requests beside the main shell (JEP 91)."""
        return self._request("control", "create_subshell_request", {})

    def list_subshells(self) -> Request:
        """Ask which subshells there are (JEP 91)."""
        return self._request("control", "list_subshell_request", {})

    def delete_subshell(self, subshell_id: str) -> Request:
        """Ask for the end of a subshell (JEP 91)."""
        content = {"subshell_id": subshell_id}
        return self._request("control", "delete_subshell_request", content)

    # Messages that get no reply

    def input(self, value: str, parent: Message | None = None) -> None:
        """Answer an ``input_request``.

        :param value: what the user typed
        :param parent: the ``input_request``; if it belongs to a request that has since ended, the
            late answer is dropped
        """
        if parent is not None and self._is_late(parent):
            return
        parent_header = None if parent is None else parent.header
        content = {"value": value, "status": "ok"}
        self._send_only("stdin", "input_reply", content, parent_header=parent_header)

    def comm_open(
        self,
        comm_id: str,
        target_name: str,
        data: Mapping[str, object] | None = None,
        *,
        metadata: Mapping[str, object] | None = None,
        buffers: Sequence[Buffer] = (),
    ) -> str:
        """Open a comm; return the id of the message, under which the kernel publishes for it."""
        content = {"comm_id": comm_id, "target_name": target_name, "data": data or {}}
        return self._send_only("shell", "comm_open", content, metadata=metadata, buffers=buffers)

    def comm_msg(
        self,
        comm_id: str,
        data: Mapping[str, object],
        *,
        metadata: Mapping[str, object] | None = None,
        buffers: Sequence[Buffer] = (),
    ) -> str:
        """Send data to a comm; return the id of the message."""
        content = {"comm_id": comm_id, "data": data}
        return self._send_only("shell", "comm_msg", content, metadata=metadata, buffers=buffers)

    def comm_close(self, comm_id: str, data: Mapping[str, object] | None = None) -> str:
        """Close a comm; return the id of the message."""
        return self._send_only("shell", "comm_close", {"comm_id": comm_id, "data": data or {}})

    def _is_late(self, input_request: Message) -> bool:
        asked_by = input_request.parent_header.get("msg_type")
        return asked_by not in _WITHOUT_REPLY and self._has_ended(input_request.parent_id)

    @abstractmethod
    async def _start_interrupt(self) -> Request | None:
        """Interrupt the kernel; where that takes a message, its reply is still to come."""

    @abstractmethod
    def _request(
        self,
        channel: Channel,
        msg_type: str,
        content: Mapping[str, object],
        *,
        header: Mapping[str, object] | None = None,
        until_idle: bool = False,
        collect: bool = True,
        patience: Patience = PATIENT,
        reply_of_death: Mapping[str, object] | None = None,
    ) -> Request:
        """Send a request.

        :param header: more items for the header
        :param until_idle: whether it takes ``idle`` besides the reply to be done
        :param collect: whether what is published is kept for the request
        :param patience: how long those who wait for it do so
        :param reply_of_death: the content of what stands for a reply if the kernel dies
        """

    @abstractmethod
    def _send_only(
        self,
        channel: Channel,
        msg_type: str,
        content: Mapping[str, object],
        *,
        parent_header: Mapping[str, object] | None = None,
        metadata: Mapping[str, object] | None = None,
        buffers: Sequence[Buffer] = (),
    ) -> str:
        """Send a message that gets no reply, and return its id."""

    @abstractmethod
    def _has_ended(self, msg_id: str) -> bool:
        """Whether a message is of this client, and waits for no reply any more."""

    @abstractmethod
    def _can_answer(self) -> bool:
        """Whether somebody answers when the kernel asks for input."""


def _in_subshell(subshell_id: str | None) -> dict[str, object] | None:
    return None if subshell_id is None else {"subshell_id": subshell_id}


def _position(code: str, cursor_pos: int | None) -> int:
    return len(code) if cursor_pos is None else cursor_pos
