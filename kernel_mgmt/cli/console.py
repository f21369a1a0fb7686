"""``kernel-mgmt console``: talk to a kernel, line by line."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from importlib import import_module
from importlib.util import find_spec
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING

import anyio
import click
from anyio import to_thread

from ._attach import attached
from ._complete import KernelTypeName, RunningKernelName
from ._launching import LaunchArguments, launch_arguments, started
from ._status import CommandError, Status
from ._terminal import say

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import KernelClient

    from ._console._target import Target
    from ._console._transcript import Transcript

__all__ = ("command",)


class _KernelOrType(click.ParamType[str]):
    """A kernel type, a running kernel or a connection file."""

    name = "kernel"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        running = RunningKernelName().shell_complete(ctx, param, incomplete)
        return running + KernelTypeName().shell_complete(ctx, param, incomplete)


@click.command("console")
@click.argument("kernel", type=_KernelOrType(), required=False)
@click.option(
    "--existing",
    metavar="[FILE]",
    is_flag=False,
    flag_value="",
    help="Attach to the kernel of this connection file, or of the latest.",
)
@click.option(
    "--include-other-output",
    "include_others",
    is_flag=True,
    help="Show what other clients of the kernel do, too.",
)
@launch_arguments
def command(
    kernel: str | None, existing: str | None, include_others: bool, *, arguments: LaunchArguments
) -> int:
    """Talk to a kernel at the terminal.

    KERNEL is a running kernel, which is left running in the end; a kernel type, of which a kernel is
    started that ends with the console; or a connection file. Without it, the default kernel is
    started.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        hint = "kernel-mgmt run KERNEL FILE, or exec ID CODE, needs none"
        raise CommandError(f"A console needs a terminal; {hint}", Status.USAGE)
    if find_spec("prompt_toolkit") is None:
        message = "A console needs prompt_toolkit: pip install 'kernel-mgmt[cli]'"
        raise CommandError(message, Status.USAGE)
    if kernel is not None and existing is not None:
        raise CommandError("Name a kernel or --existing, not both", Status.USAGE)
    return anyio.run(_run, kernel, existing, include_others, arguments)


async def _run(
    kernel: str | None, existing: str | None, include_others: bool, arguments: LaunchArguments
) -> int:
    from kernel_mgmt.start import default_finder

    from ._console._target import find_target

    target = await find_target(kernel, existing, default_finder())
    if target.note:
        say(target.note)
    if target.kind == "attach" and arguments != LaunchArguments():
        message = (
            f"The kernel {target.title} runs already; options of a launch are for kernel types"
        )
        raise CommandError(message, Status.USAGE)
    # It ends in order, so that the terminal is left as it was.
    with anyio.CancelScope() as scope:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, scope.cancel)
        return await _talk(target, include_others, arguments)
    return 128 + signal.SIGTERM


async def _talk(target: Target, include_others: bool, arguments: LaunchArguments) -> int:
    """Hold one session with a kernel, or several in which one follows the other."""
    from ._console._transcript import Transcript

    # What the prompt needs takes half as long to load as a kernel to start.
    module = f"{__package__}._console._session"
    loading = Thread(target=import_module, args=(module,), daemon=True)
    loading.start()
    with Transcript() as transcript:
        while True:
            async with _reached(target, arguments) as (manager, client):
                await to_thread.run_sync(loading.join)
                from ._console._session import Ending, Session

                own = target.kind == "start"
                session = Session(
                    manager, client, transcript, own=own, include_others=include_others
                )
                _greet(target, client, transcript)
                with _ctrl_c_handled_elsewhere():
                    ending = await session.run()
                if ending is Ending.RESTART:
                    say(f"Restarting {target.name}")
            if ending is Ending.LEFT and not own:
                say(f"The kernel {target.title} goes on")
            if ending is not Ending.RESTART:
                return Status.RAISED if ending is Ending.DIED else Status.OK


def _reached(
    target: Target, arguments: LaunchArguments
) -> AbstractAsyncContextManager[tuple[KernelManagerABC | None, KernelClient]]:
    if target.kind == "start":
        return started(target.name, arguments)
    return attached(target.name)


def _greet(target: Target, client: KernelClient, transcript: Transcript) -> None:
    from ._console._words import language_of, prefix_of

    banner = str((client.kernel_info_dict or {}).get("banner", "")).strip()
    if target.kind == "start" and banner:
        transcript.write(banner + "\n")
    prefix = prefix_of(language_of(client))
    relation = "started" if target.kind == "start" else "attached"
    transcript.write(f"{target.title}, {relation}; {prefix}help tells what can be done\n")


@contextmanager
def _ctrl_c_handled_elsewhere() -> Generator[None]:
    """Let no Ctrl-C do harm that comes while neither a prompt nor a running cell takes it."""
    handler = signal.signal(signal.SIGINT, _pass_over)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _pass_over(signum: int, frame: FrameType | None) -> None:
    pass
