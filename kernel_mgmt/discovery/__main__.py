"""List the kernel types: ``python -m kernel_mgmt.discovery``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from . import KernelFinder
from ._faults import describe, on_one_line, show

if TYPE_CHECKING:
    from kernel_mgmt.types import KernelAttributes

USAGE = """\
usage: python -m kernel_mgmt.discovery [--json]

List the kernel types that can be launched, one name on each line. What is
broken is told on stderr, with what to do about it.

options:
  --json      print a JSON object of all attributes, by the names
  -h, --help  print this

The exit status is 0 if there is any kernel type, 1 if there is none, and 2
for an unknown option.
"""


def main(argv: Sequence[str] | None = None, finder: KernelFinder | None = None) -> int:
    """List the kernel types.

    :param argv: the arguments of the command line, without the program
    :param finder: what finds them; by default, all installed providers
    :return: the exit status
    """
    arguments = set(sys.argv[1:] if argv is None else argv)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        # What the encoding of a terminal has no characters for is listed all the same.
        reconfigure(errors="backslashreplace")
    try:
        status = _run(arguments, finder)
        print(end="", flush=True)
    except BrokenPipeError:
        # Who reads has seen enough. What is left must not be written at the exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _run(arguments: set[str], finder: KernelFinder | None) -> int:
    if arguments & {"-h", "--help"}:
        print(USAGE, end="")
        return 0
    if unknown := arguments - {"--json"}:
        _complain(f"unknown arguments: {' '.join(sorted(unknown))}\n\n{USAGE}", end="")
        return 2
    finder = KernelFinder.from_entrypoints() if finder is None else finder
    count = _print_json(finder) if "--json" in arguments else _print_names(finder)
    if not finder.provider_ids:
        _complain("no providers are installed; run pip install -e .")
    for problem in finder.problems:
        _complain(on_one_line(str(problem)))
    return 0 if count else 1


def _print_names(finder: KernelFinder) -> int:
    count = 0
    for name, _ in finder.find_kernels():
        # At once, for whoever waits: another provider may take its time.
        print(name, flush=True)
        count += 1
    return count


def _print_json(finder: KernelFinder) -> int:
    import json

    dumps = partial(json.dumps, indent=2, skipkeys=True, default=show, allow_nan=False)
    kernels: dict[str, KernelAttributes] = {}
    for name, attributes in finder.find_kernels():
        try:
            dumps(attributes)
        except (ValueError, RecursionError) as error:
            _complain(f"{name}: its attributes are not JSON: {describe(error)}")
        else:
            kernels[name] = attributes
    print(dumps(kernels))
    return len(kernels)


def _complain(message: str, end: str = "\n") -> None:
    # With stderr closed, print would take stdout.
    if sys.stderr is not None:
        print(message, end=end, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
