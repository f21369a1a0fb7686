"""Run scripts and notebooks in a kernel that is started for them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from kernel_mgmt.client._lenient import object_of
from kernel_mgmt.exceptions import KernelDiedError, KernelManagementError
from kernel_mgmt.start import default_finder

from ._execute import make_display, run_source
from ._interrupt import Interrupts, interruptible
from ._launching import LaunchArguments, started
from ._notebook import Notebook, NotebookRun
from ._outputs import OutputPrinter
from ._sigterm import terminable
from ._source import Source
from ._status import CommandError, Status
from ._terminal import progress, say

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import KernelClient


__all__ = ("Settings", "run_files")

# How long a kernel may take to be interrupted (seconds).
_INTERRUPT_MOST = 2.0


@dataclass(frozen=True)
class Settings:
    """What is the same for all files.

    :ivar form: ``text`` or ``json``
    :ivar images: where images are saved; a new temporary directory when ``None``
    :ivar allow_errors: whether a notebook goes on after a cell that raised
    :ivar timeout: how long all of it may take, in seconds
    """

    form: str
    images: Path | None
    allow_errors: bool
    timeout: float | None


async def run_files(
    kernel: str | None,
    files: Sequence[Source | Notebook],
    settings: Settings,
    arguments: LaunchArguments,
) -> Status:
    """Run files one after the other, until one fails.

    :param kernel: the kernel type; the one that the notebooks name when ``None``
    :raises CommandError: if time is up, or the notebooks name no kernel or several
    :raises Terminated: if the command was asked to end while it ran a notebook
    :raises KeyboardInterrupt: if the user has given it up
    """
    named = await _kernel_of(files) if kernel is None else kernel
    async with started(named, arguments) as (manager, client):
        with anyio.move_on_after(settings.timeout):
            async with (
                _stopped(manager, client),
                _saved(files),
                interruptible(manager, client) as interrupts,
            ):
                work = _Work(client, settings, kernel, interrupts)
                return await work.run(files)
        message = f"The code was not done within {settings.timeout:g} s; its kernel is ended"
        raise CommandError(message, Status.TIMEOUT)


class _Work:
    """Runs files in a kernel that is ready."""

    def __init__(
        self, client: KernelClient, settings: Settings, kernel: str | None, interrupts: Interrupts
    ) -> None:
        self._client = client
        self._settings = settings
        self._kernel = kernel
        self._interrupts = interrupts
        self._display = make_display(settings.form, settings.images)

    async def run(self, files: Sequence[Source | Notebook]) -> Status:
        """Run files until one fails.

        :raises KernelDiedError: if the kernel dies, unless Ctrl-C has ended it
        """
        try:
            for file in files:
                if not await self._succeeds(file, alone=len(files) == 1):
                    return self._failure
        except KernelDiedError as error:
            if not self._interrupts.once:
                raise
            say(f"Error: {error}")
            return self._failure
        return Status.OK

    @property
    def _failure(self) -> Status:
        return Status.INTERRUPTED if self._interrupts.once else Status.RAISED

    async def _succeeds(self, file: Source | Notebook, *, alone: bool) -> bool:
        if not isinstance(file, Source):
            await _describe(self._client, file, self._kernel)
            return await self._notebook_succeeds(file)
        if alone:
            return await run_source(self._client, file, self._display)
        with _named(file.name):
            succeeded = await run_source(self._client, file, self._display)
        if not succeeded:
            say(f"Error: {file.name} has failed")
        return succeeded

    async def _notebook_succeeds(self, notebook: Notebook) -> bool:
        run = NotebookRun(self._client, notebook, allow_errors=self._settings.allow_errors)
        try:
            for number, cell in enumerate(run.cells, 1):
                if number > 1:
                    _save_so_far(run, notebook)
                where = f"cell {number} of {len(run.cells)} of {notebook.path}"
                if not await self._cell_succeeds(run, cell, where):
                    return False
        finally:
            run.keep_outputs()
            notebook.write()
        return True

    async def _cell_succeeds(self, run: NotebookRun, cell: Any, where: str) -> bool:
        with _named(where), progress(f"Running {where}"):
            error = await run.run_cell(cell)
        if error is not None:
            OutputPrinter().show_traceback(error)
            say(f"Error: {where} has failed")
        # Errors may be allowed, but who interrupts does not want the next cell.
        return error is None and not self._interrupts.once


def _save_so_far(run: NotebookRun, notebook: Notebook) -> None:
    run.keep_outputs()
    if notebook.target is not None:
        # It may be written when all has been run, for which the code need not be run again.
        with suppress(OSError):
            notebook.write()


@contextmanager
def _named(what: str) -> Generator[None]:
    """Tell what was under way if it is not done."""
    try:
        yield
    except (KernelDiedError, anyio.get_cancelled_exc_class()):
        say(f"Error: {what} was not done")
        raise


async def _describe(client: KernelClient, notebook: Notebook, kernel: str | None) -> None:
    """Note in a notebook what runs it."""
    if kernel is not None:
        notebook.name_kernel(kernel, await default_finder().get_async(kernel))
    notebook.metadata["language_info"] = (client.kernel_info_dict or {}).get("language_info", {})


async def _kernel_of(files: Sequence[Source | Notebook]) -> str:
    notebooks = [file for file in files if not isinstance(file, Source)]
    names = {await _kernel_named_by(notebook) for notebook in notebooks}
    if len(names) == 1 and len(notebooks) == len(files):
        return names.pop()
    reason = f"the notebooks name {', '.join(sorted(names))}" if names else "no notebook names one"
    raise CommandError(f"Name the kernel with -k: {reason}", Status.USAGE)


async def _kernel_named_by(notebook: Notebook) -> str:
    kernelspec = object_of(notebook.metadata.get("kernelspec"))
    language_info = object_of(notebook.metadata.get("language_info"))
    name, display_name = kernelspec.get("name"), kernelspec.get("display_name")
    language = kernelspec.get("language") or language_info.get("name")
    if not (name or display_name or language):
        raise CommandError(f"{notebook.path} names no kernel; name it with -k", Status.USAGE)
    return await default_finder().match_async(
        name=name, display_name=display_name, language=language
    )


@asynccontextmanager
async def _stopped(manager: KernelManagerABC, client: KernelClient) -> AsyncGenerator[None]:
    """Stop the code when the block is left without its end, so that the kernel hears of its own.

    A user who gives it up waits for nothing.
    """
    try:
        yield
    except KernelDiedError:
        raise
    except BaseException as error:
        with anyio.move_on_after(_INTERRUPT_MOST, shield=True), suppress(KernelManagementError):
            await (manager.kill() if isinstance(error, KeyboardInterrupt) else client.interrupt())
        raise


@asynccontextmanager
async def _saved(files: Sequence[Source | Notebook]) -> AsyncGenerator[None]:
    """Save what there is when the command is to end; without a notebook, there is nothing to save."""
    if all(isinstance(file, Source) for file in files):
        yield
        return
    async with terminable():
        yield
