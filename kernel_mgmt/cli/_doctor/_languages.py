"""The code that checks and measurements run in a kernel, by its language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ("Snippets", "snippets_of")


@dataclass(frozen=True)
class Snippets:
    """Code of one language.

    :ivar busy: prints ``started``, and is then busy for half a minute
    :ivar error: fails
    :ivar result: has 42 for its result
    :ivar ask: asks for a line, and prints it
    :ivar large: prints a million characters, in lines where a long one is slow
    """

    busy: str
    error: str
    result: str
    ask: str
    large: str


_PYTHON = Snippets(
    busy=(
        "import time\nprint('started', flush=True)\n"
        "end = time.monotonic() + 30\nwhile time.monotonic() < end: pass"
    ),
    error="raise RuntimeError('an error on purpose')",
    result="6 * 7",
    ask="print(input('? '))",
    large="print('x' * 1_000_000)",
)
_JAVASCRIPT = Snippets(
    busy="console.log('started'); { const end = Date.now() + 30e3; while (Date.now() < end) {} }",
    error="throw new Error('an error on purpose')",
    result="6 * 7",
    ask="console.log(prompt('?'))",
    large="console.log('x'.repeat(1000000))",
)
_SNIPPETS: Mapping[str, Snippets] = {
    "bash": Snippets(
        busy="echo started; sleep 30",
        error="no_such_command_on_purpose",
        result="echo 42",
        ask="read -p '? ' line; echo $line",
        large="head -c 1000000 /dev/zero | tr '\\0' x | fold -w 1000",
    ),
    # The language of kernel_mgmt.testing.fake_kernel.
    "fake": Snippets(
        busy="print started\nsleep 30",
        error="raise RuntimeError an error on purpose",
        result="result 42",
        ask="input ?",
        large="flood 1 1000000",
    ),
    "javascript": _JAVASCRIPT,
    "octave": Snippets(
        busy="disp('started'); fflush(stdout); pause(30);",
        error="error('an error on purpose')",
        result="6 * 7",
        ask="disp(input('? ', 's'))",
        large="disp(repmat('x', 1, 1000000))",
    ),
    "python": _PYTHON,
    "r": Snippets(
        busy="cat('started\\n'); flush.console(); end <- Sys.time() + 30\nwhile (Sys.time() < end) {}",
        error="stop('an error on purpose')",
        result="6 * 7",
        ask="cat(readline('? '))",
        large="cat(strrep('x', 1000000))",
    ),
    "scheme": Snippets(
        busy='(begin (display "started") (newline) (let loop ((n 0)) (if (< n 100000000) (loop (+ n 1)))))',
        error="(car 1)",
        result="(* 6 7)",
        ask='(display (input "? "))',
        large="(display (make-string 1000000 #\\x))",
    ),
    "typescript": _JAVASCRIPT,
}


def snippets_of(language: str) -> Snippets | None:
    """Return the code of a language, whatever its case; ``None`` if there is none."""
    return _SNIPPETS.get(language.lower())
