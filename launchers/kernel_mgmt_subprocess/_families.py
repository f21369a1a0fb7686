"""What is known of kernels that their kernelspecs do not tell.

It was measured with ipykernel 7.4, bash_kernel 0.10, octave_kernel 1.1, calysto_scheme 2.1, xonsh
0.25, IRkernel 1.3, xeus-python 0.19, deno 2.9, tslab 1.0 and ijavascript 5.2.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class KernelFamily:
    """Kernels that are built alike, and so behave alike.

    :ivar recognises: tells by the argv of a kernelspec whether it is one of them
    :ivar ipc: whether they can be reached over ipc; ``None`` if that is not known
    :ivar socket_path_limit: how long the path of a socket may be for them, in bytes; ``None`` if
        only the system sets a limit
    :ivar interrupt_mode: how they are interrupted, ``"unsupported"`` if by nothing; ``None`` if it
        is as their kernelspecs say
    """

    name: str
    recognises: Callable[[Sequence[str]], bool]
    ipc: bool | None = None
    socket_path_limit: int | None = None
    interrupt_mode: str | None = None


def find_family(argv: Sequence[str]) -> KernelFamily:
    """Return the family that a kernel belongs to by its argv, or one of which nothing is known."""
    return next((family for family in _FAMILIES if family.recognises(argv)), _UNKNOWN)


def _runs_module(*modules: str) -> Callable[[Sequence[str]], bool]:
    def recognises(argv: Sequence[str]) -> bool:
        runs = any(
            option == "-m" and module.partition(".")[0] in modules
            for option, module in pairwise(argv)
        )
        return runs or any(_stem(item) in modules for item in argv[:2])

    return recognises


def _runs_program(pattern: str, argument: str = "") -> Callable[[Sequence[str]], bool]:
    program = re.compile(pattern)

    def recognises(argv: Sequence[str]) -> bool:
        return bool(program.fullmatch(_stem(argv[0]))) and argument in ("", *argv[1:])

    return recognises


def _stem(path: str) -> str:
    name = re.split(r"[/\\]", path)[-1]
    stem, extension = os.path.splitext(name)
    return stem if extension.lower() in (".exe", ".py") else name


def _any_of(*tests: Callable[[Sequence[str]], bool]) -> Callable[[Sequence[str]], bool]:
    return lambda argv: any(test(argv) for test in tests)


_FAMILIES = (
    KernelFamily(
        "ipykernel",
        _runs_module(
            "ipykernel",
            "ipykernel_launcher",
            "bash_kernel",
            "calysto_scheme",
            "octave_kernel",
            "xonsh_jupyter",
        ),
        ipc=True,
    ),
    # SIGINT ends it in the milliseconds between a request and the first line of its code.
    KernelFamily("IRkernel", lambda argv: "IRkernel::main()" in argv, ipc=True),
    # SIGINT ends it, idle or busy; an interrupt_request is answered and has no effect. The path of
    # a socket is cut off after 25 bytes.
    KernelFamily(
        "xeus",
        _any_of(_runs_module("xpython_launcher"), _runs_program(r"xpython|xcpp\d*")),
        socket_path_limit=25,
        interrupt_mode="unsupported",
    ),
    # SIGINT ends it, idle or busy; an interrupt_request works, though the kernelspec does not ask
    # for it. Over ipc it crashes.
    KernelFamily("deno", _runs_program("deno", "jupyter"), ipc=False, interrupt_mode="message"),
    # Over ipc it is silent.
    KernelFamily("tslab", _runs_program("tslab", "kernel"), ipc=False),
    # Over ipc it crashes; neither SIGINT nor an interrupt_request has an effect.
    KernelFamily(
        "ijavascript",
        lambda argv: any(re.search(r"ijavascript[/\\]lib[/\\]kernel\.js$", item) for item in argv),
        ipc=False,
        interrupt_mode="unsupported",
    ),
)
_UNKNOWN = KernelFamily("unknown", lambda _: True)
