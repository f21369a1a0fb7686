"""What outlasts each single WebSocket: what is to be sent, what has come, and how both are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kernel_mgmt.wire import WireError

from ._replays import Replays, id_of
from ._websocket_frames import read_binary, read_text, write_json, write_v1
from ._websocket_link import LinkUser
from ._websocket_outbox import Outbox

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer, Received
    from kernel_mgmt.types import Channel

    from ._websocket_link import WebSocketLink

__all__ = ("WebSocketSession",)


class WebSocketSession(LinkUser):
    """The messages of one client, over one link after the other.

    :param received: called with each message that comes, once
    :param undelivered: called with the parts of each that may have been lost, and may not be sent again
    :param proved: called when a link has shown that it works both ways
    :param dropped: called when something comes that is no message

    :ivar offers_v1: whether the server has not been found to misunderstand the framing
    :ivar link: the one that is open
    """

    def __init__(
        self,
        received: Received,
        undelivered: Callable[[Sequence[Buffer]], None],
        proved: Callable[[], None],
        dropped: Callable[[WireError], None],
    ) -> None:
        self.offers_v1 = True
        self.link: WebSocketLink | None = None
        self._received = received
        self._undelivered = undelivered
        self._tell_proved = proved
        self._drop = dropped
        self._outbox = Outbox()
        self._replays = Replays()
        self._speaks_v1 = False
        self._on_trial = False
        self._proved = False
        self._asked = False
        self._beats = False

    def send(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        """Send a message, now or over the next link."""
        self._outbox.put(channel, parts)
        if self.link is not None:
            self.link.wake()

    def beat(self) -> None:
        """Ask for an echo on ``hb``, if there is a link."""
        self._beats = True
        self._ping()

    def discard(self) -> None:
        """Send nothing of what waits."""
        self._outbox.clear()

    def begin(self, link: WebSocketLink) -> None:
        """Use a link that has been opened."""
        self.link = link
        self._speaks_v1 = self._on_trial = link.speaks_v1
        if self._on_trial:
            self._outbox.begin_trial()
        self._proved = False
        self._ping()

    def end(self) -> None:
        """Use a link no more, which is lost."""
        self.link = None
        self._outbox.doubt()

    def next_frame(self) -> tuple[bool, bytes] | None:
        outgoing = self._outbox.take()
        if outgoing is None:
            if not self._asked and not self._outbox.is_confirmed:
                self._ping()
            return None
        if self._speaks_v1:
            return False, write_v1(outgoing.channel, outgoing.parts)
        return write_json(outgoing.channel, outgoing.parts)

    def received(self, is_text: bool, data: Buffer) -> None:
        if self._on_trial:
            self._end_trial(understood=not is_text)
        try:
            channel, parts = read_text(data) if is_text else read_binary(data)
        except WireError as error:
            self._drop(error)
            return
        if self._outbox.doubtful:
            self._outbox.heard_of(id_of(parts[1]))
        if self._replays.is_new(channel, parts):
            self._received(channel, parts)

    def ponged(self, number: int) -> None:
        self._asked = False
        self._outbox.confirm(number)
        if not self._proved:
            # What the server had kept for the session came before the answer to the first ping.
            self._proved = True
            self._tell_proved()
            for outgoing in self._outbox.settle():
                self._undelivered(outgoing.parts)
        if self._beats:
            self._beats = False
            self._received("hb", [])
        if self.link is not None:
            self.link.wake()

    def _ping(self) -> None:
        if self.link is not None:
            self._asked = True
            self.link.ping(self._outbox.sent)

    def _end_trial(self, *, understood: bool) -> None:
        """Speak JSON to a server that does, though it has agreed to the other framing.

        It hands on what it gets to one that takes each frame for JSON.
        """
        self._on_trial = False
        self._outbox.end_trial(understood=understood)
        if not understood:
            self._speaks_v1 = self.offers_v1 = False
            if self.link is not None:
                self.link.wake()
