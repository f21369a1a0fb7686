"""``kernel-mgmt run``: scripts, notebooks and code, in a kernel of their own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from ._complete import KernelTypeName
from ._form import OUTPUTS, images_option, output_option
from ._launching import LaunchArguments, launch_arguments
from ._seconds import Seconds
from ._status import CommandError, Status

if TYPE_CHECKING:
    from ._notebook import Notebook
    from ._source import Source

__all__ = ("command",)


class _KernelOrFile(KernelTypeName):
    """The name of a kernel type, or a file; a shell completes the first with what fits."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        files = [CompletionItem(incomplete, type="file")]
        if ctx.params.get("words") or ctx.params.get("kernel"):
            return files
        return super().shell_complete(ctx, param, incomplete) or files


@click.command("run")
@click.argument("words", nargs=-1, metavar="[KERNEL] [FILE]...", type=_KernelOrFile())
@click.option(
    "-k", "--kernel", type=KernelTypeName(), help="The kernel; then all arguments are files."
)
@click.option("-c", "--code", help="Run this code.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Where the notebook is written, rather than in its place; - is stdout.",
)
@click.option("--allow-errors", is_flag=True, help="Run the cells after one that raised, too.")
@click.option(
    "--timeout",
    type=Seconds(),
    metavar="SECONDS",
    help="End the kernel when so much time has passed since it was ready.",
)
@images_option
@output_option("text", "json", names=("-o", "form"), help_text=OUTPUTS)
@launch_arguments
def command(
    *,
    words: tuple[str, ...],
    kernel: str | None,
    code: str | None,
    output: Path | None,
    allow_errors: bool,
    timeout: float | None,
    images: Path | None,
    form: str,
    arguments: LaunchArguments,
) -> int:
    """Run scripts, notebooks or code in a kernel of their own.

    Files are run one after the other. The kernel is ended afterwards.

    A FILE is a script in the language of the kernel, of which the outputs are printed; a notebook
    (.ipynb), into which they are written; or -, which is stdin. Notebooks alone need no KERNEL if
    they name theirs. Ctrl-C interrupts the code; twice, it ends the kernel.
    """
    kernel, files = _kernel_and_files(kernel, words)
    works = _read(files, code, output)
    _check(works, output, form)
    # anyio and the kernel's client are loaded when it is known that there is something to run.
    import anyio

    from ._run_files import Settings, run_files
    from ._sigterm import ended_by_signal

    settings = Settings(form, images, allow_errors, timeout)
    with ended_by_signal():
        return anyio.run(partial(run_files, kernel, works, settings, arguments))


def _kernel_and_files(
    kernel: str | None, words: tuple[str, ...]
) -> tuple[str | None, tuple[str, ...]]:
    if kernel is not None or not words or words[0].endswith(".ipynb"):
        return kernel, words
    first = words[0]
    if first == "-" or Path(first).is_file():
        message = f"Name the kernel before what it is to run: kernel-mgmt run KERNEL {first}"
        raise CommandError(message, Status.USAGE)
    return first, words[1:]


def _read(files: Sequence[str], code: str | None, output: Path | None) -> list[Source | Notebook]:
    from ._source import read_argument, read_file, read_stdin

    if bool(files) == (code is not None):
        raise CommandError("Give files to run (- is stdin), or code with -c", Status.USAGE)
    if code is not None:
        return [read_argument(code)]
    works: list[Source | Notebook] = []
    for file in files:
        if file.endswith(".ipynb"):
            works.append(_read_notebook(Path(file), output))
        else:
            works.append(read_stdin() if file == "-" else read_file(Path(file)))
    return works


def _read_notebook(path: Path, output: Path | None) -> Notebook:
    from ._notebook import read_notebook

    target = path if output is None else None if str(output) == "-" else output
    return read_notebook(path, target)


def _check(works: Sequence[Source | Notebook], output: Path | None, form: str) -> None:
    from ._source import Source

    alone = len(works) == 1
    if output is not None and not (alone and not isinstance(works[0], Source)):
        raise CommandError("--output is for one notebook", Status.USAGE)
    if form == "json" and not (alone and isinstance(works[0], Source)):
        raise CommandError("-o json is for one script, or code", Status.USAGE)
