"""Notebooks: read, run cell by cell, and written."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from stat import S_IWGRP, S_IWOTH, S_IWUSR
from typing import TYPE_CHECKING, Any

from kernel_mgmt.client._lenient import content_of, lines_of, object_of, text_of
from kernel_mgmt.client._outputs import OutputFolder

from ._execute import execute
from ._source import Source
from ._status import CommandError, Status
from ._whole_file import write_whole

if TYPE_CHECKING:
    from kernel_mgmt.client import KernelClient
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import JSONDict, KernelAttributes

__all__ = ("Notebook", "NotebookRun", "read_notebook")

_WRITE = S_IWUSR | S_IWGRP | S_IWOTH


class Notebook:
    """A notebook in memory, of nbformat 4.

    :ivar path: where it was read
    :ivar target: where it is written; stdout when ``None``
    """

    def __init__(self, path: Path, target: Path | None, node: Any) -> None:
        self.path = path
        self.target = target
        self._node = node

    @property
    def metadata(self) -> JSONDict:
        """Its metadata, to be changed in place."""
        metadata: JSONDict = self._node.metadata
        return metadata

    def code_cells(self) -> list[Any]:
        """The cells to run: those of code, but blank ones and those tagged ``skip-execution``."""
        return [
            cell
            for cell in self._node.cells
            if cell.cell_type == "code"
            and cell.source.strip()
            and "skip-execution" not in _tags_of(cell)
        ]

    def name_kernel(self, name: str, attributes: KernelAttributes) -> None:
        """Note in the metadata which kernel type has run it.

        :param name: such as ``spec/python3``, which Jupyter calls ``python3``
        """
        self.metadata["kernelspec"] = {
            "display_name": attributes.get("display_name", name),
            "language": attributes.get("language", ""),
            "name": name.removeprefix("spec/"),
        }

    def write(self) -> None:
        """Write it to its target.

        :raises OSError: if that cannot be; then the target is as it was
        """
        with _quietly():
            text: str = _nbformat().writes(self._node)
        text = text.removesuffix("\n") + "\n"
        if self.target is None:
            sys.stdout.write(text)
        else:
            write_whole(self.target, text)


def read_notebook(path: Path, target: Path | None) -> Notebook:
    """Read a notebook; one of an older format is upgraded.

    :param target: where it is to be written; stdout when ``None``
    :raises CommandError: if it cannot be read, or is seen at once not to be written
    """
    try:
        # An editor may have put a byte order mark before it.
        node = _parse(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", Status.USAGE) from error
    except ModuleNotFoundError:  # of the extra, which is told for all commands at once
        raise
    except Exception as error:
        message = f"{path} is no notebook: {error!s:.200}"
        raise CommandError(message, Status.USAGE) from error
    if target is not None and (reason := _why_not_written(target.resolve())):
        raise CommandError(f"{target} cannot be written: {reason}", Status.USAGE)
    return Notebook(path, target, node)


def _why_not_written(target: Path) -> str:
    if not os.access(target.parent, os.W_OK):
        return "its directory is missing, or not to be written to"
    # It would be replaced all the same, for which only the directory needs to be written to.
    if target.exists() and not (os.access(target, os.W_OK) and target.stat().st_mode & _WRITE):
        return "it is read-only"
    return ""


class NotebookRun:
    """Runs the cells of a notebook.

    :param allow_errors: whether the cells after one that raised are run as well
    :ivar cells: those that are to be run
    """

    def __init__(self, client: KernelClient, notebook: Notebook, *, allow_errors: bool) -> None:
        self._client = client
        self._allow_errors = allow_errors
        self._run: list[tuple[Any, OutputFolder]] = []
        self.cells = notebook.code_cells()

    async def run_cell(self, cell: Any) -> list[str] | None:
        """Run a cell.

        :return: the lines of the traceback if the cell raised and may not; otherwise ``None``
        :raises KernelDiedError: if the kernel dies
        """
        folder = OutputFolder()
        self._run.append((cell, folder))
        cell.execution_count = None
        source = Source("", cell.source, uses_stdin=True)
        reply = await execute(self._client, source, self._into(cell, folder))
        may_raise = self._allow_errors or "raises-exception" in _tags_of(cell)
        return None if reply.get("status") == "ok" or may_raise else _traceback(reply, folder)

    def keep_outputs(self) -> None:
        """Put what has been published so far into the cells that have been run."""
        from_dict = _nbformat().from_dict
        for cell, folder in self._run:
            cell.outputs = from_dict(folder.outputs)

    def _into(self, cell: Any, folder: OutputFolder) -> Callable[[Message], None]:
        def take(message: Message) -> None:
            if message.msg_type == "execute_input":
                count = content_of(message).get("execution_count")
                cell.execution_count = count if isinstance(count, int) else None
            if message.msg_type != "update_display_data":
                folder.add(message)
                return
            # The display may stand in a cell before.
            for _, earlier in self._run:
                earlier.add(message)

        return take


def _traceback(reply: JSONDict, folder: OutputFolder) -> list[str]:
    published = [output for output in folder.outputs if output["output_type"] == "error"]
    error = published[-1] if published else reply
    named = f"{text_of(error.get('ename'))}: {text_of(error.get('evalue'))}"
    return lines_of(error.get("traceback")) or [named] * bool(error.get("ename"))


def _tags_of(cell: Any) -> list[str]:
    tags = object_of(cell.get("metadata")).get("tags")
    return lines_of(tags)


def _parse(text: str) -> Any:
    with _quietly():
        node = _nbformat().reads(text, as_version=4)
    if not isinstance(node.get("cells"), list):
        raise ValueError("it has no cells")
    return node


def _nbformat() -> Any:
    # It has no types.
    return import_module("nbformat")


@contextmanager
def _quietly() -> Generator[None]:
    """Let nbformat repair what it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
