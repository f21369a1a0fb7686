"""``kernel-mgmt kernelspec``: install and remove kernelspecs."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._complete import KernelSpecName
from ._form import output_option
from ._group import CommandGroup
from ._listing import shorten
from ._status import CommandError, Status
from ._terminal import confirm, print_json, print_table, say

if TYPE_CHECKING:
    from kernel_mgmt.kernelspecs import KernelSpec, KernelSpecFinder

__all__ = ("command",)

_A_DIRECTORY = click.Path(file_okay=False, path_type=Path)


@click.group("kernelspec", cls=CommandGroup)
def command() -> None:
    """Install and remove kernelspecs.

    A kernelspec is a folder with a kernel.json, which tells how a kernel is started.
    """


@command.command("list")
@output_option("table", "json", "name")
def list_kernelspecs(output: str) -> int:
    """List the kernelspecs and their folders.

    The JSON is that of jupyter kernelspec list. The exit status is 3 if there is none.
    """
    from kernel_mgmt.kernelspecs import KernelSpecFinder

    from ._listing import tell_problems

    finder = KernelSpecFinder()
    specs = finder.find()
    if output == "json":
        print_json({"kernelspecs": {spec.name: _as_json(spec) for spec in specs}})
    elif output == "name":
        for spec in specs:
            print(spec.name)
    elif specs:
        print_table(("NAME", "FOLDER"), [(spec.name, shorten(spec.resource_dir)) for spec in specs])
    tell_problems(finder.problems)
    return Status.OK if specs else Status.NO_SUCH_KERNEL


@command.command("install")
@click.argument("directory", type=_A_DIRECTORY)
@click.option("--name", help="Its name; that of the directory if it is not given.")
@click.option("--user", is_flag=True, help="Install it for you alone.")
@click.option("--sys-prefix", is_flag=True, help="Install it for this Python environment.")
@click.option("--prefix", type=_A_DIRECTORY, help="Install it for the environment in a directory.")
@click.option("--replace", is_flag=True, help="Take the place of one of this name.")
def install(
    directory: Path,
    name: str | None,
    user: bool,
    sys_prefix: bool,
    prefix: Path | None,
    replace: bool,
) -> int:
    """Copy a kernelspec to where Jupyter finds it.

    It is for all users unless an option says otherwise.
    """
    from kernel_mgmt.kernelspecs import install_kernel_spec

    if user + sys_prefix + (prefix is not None) > 1:
        raise CommandError("Use one of --user, --sys-prefix and --prefix", Status.USAGE)
    # The folder that is not searched is told below, in the words of this command.
    logging.getLogger("kernel_mgmt.kernelspecs").addHandler(logging.NullHandler())
    place = Path(sys.prefix) if sys_prefix else prefix
    try:
        folder = install_kernel_spec(directory, name, user, replace, place)
    except ValueError as error:
        raise CommandError(str(error), Status.USAGE) from error
    except FileExistsError as error:
        raise CommandError(
            f"{error}; --replace puts this one in its place", Status.RAISED
        ) from error
    except PermissionError as error:
        hint = "; --user or --sys-prefix installs it where you may"
        raise CommandError(f"{error}{hint}", Status.RAISED) from error
    say(f"Installed in {folder}")
    _tell_how_to_start(Path(folder))
    return Status.OK


@command.command("remove")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, type=KernelSpecName())
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def remove(names: tuple[str, ...], yes: bool) -> int:
    """Remove kernelspecs.

    Of several with a name, the one goes that has precedence.
    """
    from kernel_mgmt.kernelspecs import KernelSpecFinder, remove_kernel_spec

    finder = KernelSpecFinder()
    wanted = [name.removeprefix("spec/") for name in names]
    folders = {_locate(finder, name): name for name in wanted}
    question = "Remove " + " and ".join(folders) + "?"
    confirm(question, yes=yes)
    for name in folders.values():
        say(f"Removed {remove_kernel_spec(name)}")
        for hidden in finder.locate_all(name)[:1]:
            say(f"spec/{name} is now the one of {hidden}")
    return Status.OK


def _as_json(spec: KernelSpec) -> dict[str, object]:
    keys = ("argv", "env", "display_name", "language", "interrupt_mode", "metadata")
    told = {key: value for key, value in spec.attributes.items() if key in keys}
    return {"resource_dir": spec.resource_dir, "spec": told}


def _locate(finder: KernelSpecFinder, name: str) -> str:
    from kernel_mgmt.exceptions import KernelSpecError

    try:
        return finder.locate(name)
    except KernelSpecError as error:
        # One that is broken may be removed all the same.
        return str(Path(error.path).parent)


def _tell_how_to_start(folder: Path) -> None:
    from kernel_mgmt.kernelspecs import KernelSpecFinder

    finder = KernelSpecFinder()
    if str(folder.parent) not in finder.search_path:
        say(f"Jupyter does not search {folder.parent}: add its parent to JUPYTER_PATH")
    elif (used := finder.locate(folder.name)) != str(folder):
        say(f"It is hidden by {used}, which has the same name")
    else:
        say(f"Start it as spec/{folder.name}, or {folder.name} for short")
