"""Oddity 3: warnings on stderr, which nobody asked for."""

from __future__ import annotations

from kernel_mgmt.cli._doctor._findings import Finding, note, ok
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject
from kernel_mgmt.exceptions import LaunchOptionError
from kernel_mgmt.types import LaunchOptions

_LONGEST = 100


async def check(subject: Subject, kernel: RunningKernel) -> Finding:
    written = {kernel.transport: kernel.written()}
    try:
        # This is where ipykernel warns.
        async with subject.started(LaunchOptions(transport="tcp", encryption="disabled")) as own:
            written |= {"tcp in plain text": own.written()}
    except LaunchOptionError:
        pass
    noisy = {how: lines for how, lines in written.items() if lines}
    if not noisy:
        return ok("writes nothing as it starts")
    how, lines = next(iter(noisy.items()))
    first = lines[0] if len(lines[0]) <= _LONGEST else f"{lines[0][:_LONGEST]}…"
    more = f" (and more: {len(lines)} lines)" if len(lines) > 1 else ""
    return note(
        f"writes as it starts over {how}: {first}{more}",
        "kernel_mgmt keeps that in the log, apart from all results",
    )
