"""A program that has itself given ports as fast as it can, and lets go of them again.

It writes a line when it has begun. Then it reads a line of JSON, the ports of others and since when
they have them, in seconds of the monotonic clock, which is one for the machine. It answers with a
line of JSON: how many ports it was given, and which of them were those of others.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import sys
import time
from array import array

MOST_AT_ONCE = 3000


class Grabber:
    """Takes ports, and notes which until when."""

    def __init__(self) -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self._at_once = min(MOST_AT_ONCE, hard - 50)
        self._ports = array("H")
        self._until = array("d")

    def grab(self) -> None:
        """Take many ports, by the ways to ask for any that is free, and let go of them."""
        taken = [take_port(reuse=bool(number % 2)) for number in range(self._at_once)]
        ports = [each.getsockname()[1] for each in taken]
        self._until.extend([time.monotonic()] * len(taken))
        for each in taken:
            each.close()
        self._ports.extend(ports)

    def answer(self, since: dict[str, float]) -> tuple[int, list[int]]:
        """Return how many ports there were, and which of them when others had them."""
        held = {int(port): begin for port, begin in since.items()}
        pairs = zip(self._ports, self._until, strict=True)
        return len(self._ports), [port for port, until in pairs if until > held.get(port, until)]


def take_port(*, reuse: bool) -> socket.socket:
    """Listen on any port that is free."""
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    taken.bind(("127.0.0.1", 0))
    taken.listen(1)
    return taken


def main() -> None:
    grabber = Grabber()
    grabber.grab()
    print("begun", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        grabber.grab()
    if line := sys.stdin.readline():
        print(json.dumps(grabber.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
