"""What one small iopub message costs a program that blocks, out of a flood of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import process_time
from typing import TYPE_CHECKING, Any, cast

from ._fake_kernel import TEXT
from ._model import (
    JUPYTER_CLIENT,
    OURS,
    OURS_HANDLER,
    Case,
    Metrics,
    Row,
    Scenario,
    at_most_times,
)
from ._peers import fake_kernel

if TYPE_CHECKING:
    from kernel_mgmt import BlockingKernelClient, Message

    from ._floor import Take

WARM_UP = 500
MESSAGES = 20_000


def measure(execute: Callable[[str, Take], None]) -> Metrics:
    """Return the CPU of all threads for each message; raise if one was lost."""
    text: list[str] = []

    def take(kind: str, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        if kind == "stream":
            text.append(content["text"])

    execute(str(WARM_UP), take)
    text.clear()
    cpu = process_time()
    execute(str(MESSAGES), take)
    cpu = process_time() - cpu
    if text != [TEXT] * MESSAGES:
        raise AssertionError(f"{len(text)} of {MESSAGES} messages arrived")
    return {"us": cpu / MESSAGES * 1e6}


def hooked(client: BlockingKernelClient, code: str, take: Take) -> None:
    """Read by a hook, which is called in this thread."""

    def hook(message: Message) -> None:
        take(message.msg_type, message.content, ())

    client.execute_interactive(code, output_hook=hook)


def handled(client: BlockingKernelClient, code: str, take: Take) -> None:
    """Read by a handler, which is called in the background thread."""

    def handle(message: Message) -> None:
        take(message.msg_type, message.content, ())

    client.add_handler(handle)
    client.execute(code)
    client.remove_handler(handle)


def ours(execute: Callable[[BlockingKernelClient, str, Take], None]) -> Metrics:
    """Read by a ``BlockingKernelClient``."""
    from kernel_mgmt import BlockingKernelClient, ConnectionInfo

    with fake_kernel() as info, BlockingKernelClient(cast("ConnectionInfo", info)) as client:
        client.wait_for_ready(timeout=30)
        return measure(partial(execute, client))


def jupyter_client() -> Metrics:
    """Read by ``BlockingKernelClient.get_iopub_msg``."""
    from ._jupyter_client import connected_blocking_client, execute_blocking

    with fake_kernel() as info, connected_blocking_client(info) as client:
        return measure(partial(execute_blocking, client))


SCENARIO = Scenario(
    summary="one small iopub message, read by a program that blocks",
    cases=(
        Case(
            "tcp",
            {
                OURS: partial(ours, hooked),
                OURS_HANDLER: partial(ours, handled),
                JUPYTER_CLIENT: jupyter_client,
            },
            (
                Row(
                    "us",
                    "CPU of the client for a message",
                    "µs",
                    (
                        at_most_times(0.2, JUPYTER_CLIENT),
                        at_most_times(0.2, JUPYTER_CLIENT, peer=OURS_HANDLER),
                    ),
                ),
            ),
        ),
    ),
)
