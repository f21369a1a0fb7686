"""Installing and removing kernelspecs, each in one step."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from os import PathLike

from kernel_mgmt.exceptions import KernelSpecError
from kernel_mgmt.paths import jupyter_data_dir, kernel_search_path, system_jupyter_path

from ._directory import NAME_RULE, fold, is_valid_name, leads_nowhere
from ._find import KernelSpecFinder
from ._read import read_kernel_spec

logger = logging.getLogger(__name__)

_OCCUPIED = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def install_kernel_spec(
    source_dir: str | PathLike[str],
    kernel_name: str | None = None,
    user: bool = False,
    replace: bool = True,
    prefix: str | PathLike[str] | None = None,
    *,
    kernel_file: str = "kernel.json",
) -> str:
    """Copy a kernelspec to where Jupyter finds it, for all users unless told otherwise.

    It appears in one step: nobody ever sees a part of it, and an installation that fails leaves
    the one before as it was. A destination that Jupyter does not search is logged as a warning.

    :param source_dir: the folder with the kernel.json, logos, and what else belongs to it
    :param kernel_name: its name, which is put in lower case; that of the folder when ``None``
    :param user: install it for this user
    :param replace: take the place of a kernelspec of this name
    :param prefix: install it for an environment, such as ``sys.prefix``
    :param kernel_file: the file that makes the folder a kernelspec
    :return: the folder that it is installed in
    :raises ValueError: if the name cannot be used, or both ``user`` and ``prefix`` are given
    :raises KernelSpecError: if the source is no kernelspec that can be used
    :raises FileExistsError: if there is one already that must not be replaced
    :raises OSError: if it cannot be written there
    """
    source_dir = os.path.abspath(source_dir)
    name = fold(os.path.basename(source_dir) if kernel_name is None else kernel_name)
    if not is_valid_name(name):
        raise ValueError(f"A kernelspec cannot be called {name!r}: {NAME_RULE}")
    read_kernel_spec(source_dir, kernel_file=kernel_file)
    parent = _destination(user, prefix)
    if parent not in map(os.path.abspath, kernel_search_path()):
        logger.warning("Jupyter does not search %s, where %r is being installed", parent, name)
    try:
        return install_in(source_dir, parent, name, replace=replace)
    except PermissionError as error:
        error.add_note("user=True installs it for you alone, prefix=... for an environment.")
        raise


def remove_kernel_spec(
    name: str, *, search_path: Iterable[str | PathLike[str]] | None = None
) -> str:
    """Remove the kernelspec that has precedence under a name; a symbolic link is only unlinked.

    :param search_path: the directories to search; Jupyter's when ``None``
    :return: the folder that was removed
    :raises NoSuchKernelError: if there is none
    :raises KernelSpecError: if what there is under the name is no kernelspec
    :raises OSError: if it cannot be removed
    """
    folder = _locate(KernelSpecFinder(search_path), name)
    parent, _ = os.path.split(folder)
    # Out of sight in one step; what cannot be removed in one step is removed after that.
    with tempfile.TemporaryDirectory(dir=parent, prefix=f".{fold(name)}-") as temporary:
        os.rename(folder, os.path.join(temporary, "removed"))
    return folder


def _locate(finder: KernelSpecFinder, name: str) -> str:
    try:
        return finder.locate(name)
    except KernelSpecError as error:
        folder = os.path.dirname(error.path)
        # A link without a target is no kernelspec, but it is what there is to be removed.
        if leads_nowhere(folder) or leads_nowhere(error.path):
            return folder
        raise


def _destination(user: bool, prefix: str | PathLike[str] | None) -> str:
    if user and prefix is not None:
        raise ValueError("A kernelspec is installed either for the user or under a prefix")
    if user:
        base = jupyter_data_dir()
    elif prefix is not None:
        base = os.path.join(prefix, "share", "jupyter")
    else:
        base = system_jupyter_path()[0]
    return os.path.join(os.path.abspath(base), "kernels")


def install_in(source_dir: str, parent: str, name: str, *, replace: bool) -> str:
    """Copy a folder to ``parent``, in one step, and return where it is."""
    destination = os.path.join(parent, name)
    if not replace and os.path.lexists(destination):
        raise FileExistsError(f"There is a kernelspec already: {destination}")
    os.makedirs(parent, exist_ok=True)
    # A sibling, so that a rename can put it in place; the dot keeps it out of listings.
    with tempfile.TemporaryDirectory(dir=parent, prefix=f".{name}-") as temporary:
        copy = os.path.join(temporary, name)
        shutil.copytree(source_dir, copy)
        # A folder that its owner may not write to cannot be moved either.
        os.chmod(copy, os.stat(copy).st_mode | 0o700)
        _put_in_place(copy, destination, temporary, replace=replace)
    return destination


def _put_in_place(copy: str, destination: str, temporary: str, *, replace: bool) -> None:
    # Once more if someone else has installed under the name between the two steps.
    for attempt in range(100):
        aside = os.path.join(temporary, f"replaced-{attempt}")
        was_there = replace and _move(destination, aside)
        try:
            os.rename(copy, destination)
            return
        except OSError as error:
            if not replace or error.errno not in _OCCUPIED:
                raise
        finally:
            if was_there and not os.path.lexists(destination):
                with suppress(OSError):
                    os.rename(aside, destination)
    raise FileExistsError(f"Others keep installing the same kernelspec: {destination}")


def _move(source: str, destination: str) -> bool:
    try:
        os.rename(source, destination)
    except FileNotFoundError:
        return False
    return True
