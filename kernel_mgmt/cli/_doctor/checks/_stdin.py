"""Input that code asks for: nobody hears of it, or is asked though nobody can be."""

from __future__ import annotations

from dataclasses import dataclass

import anyio

from kernel_mgmt.cli._doctor._findings import Finding, note, ok, problem
from kernel_mgmt.cli._doctor._shown import shown_text
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject

_LINE = "a line on purpose"


async def check(subject: Subject, _kernel: RunningKernel) -> Finding:
    if subject.snippets is None:
        return note(f"no code here that asks in {subject.attributes.get('language')!r}")
    code = subject.snippets.ask
    async with subject.started() as own:
        answered = await _ask(own, code, subject.patience, allow_stdin=True)
        if not answered.asked or _LINE not in answered.shown:
            return _without_input(answered)
        refused = await _ask(own, code, subject.patience, allow_stdin=False)
    if refused.asked:
        return note(
            "asks for input though it is told that nobody can be asked",
            "kernel-mgmt answers an empty line; other programs should do so, too",
        )
    if refused.status is None:
        return note(
            "waits for ever when its code asks for input and nobody can be asked",
            "give such code a time limit",
        )
    return ok(
        f"asks for input and takes it; where nobody can be asked, the status is {refused.status}"
    )


@dataclass
class _Outcome:
    """What has become of code that asks for a line.

    :ivar shown: what it has printed
    :ivar status: that of its reply; ``None`` if it has not come
    """

    asked: bool = False
    shown: str = ""
    status: object = None


async def _ask(kernel: RunningKernel, code: str, patience: float, *, allow_stdin: bool) -> _Outcome:
    outcome = _Outcome()
    request = kernel.client.execute(code, allow_stdin=allow_stdin, idle_timeout=patience)
    with anyio.move_on_after(patience):
        async for message in request.with_stdin():
            if message.channel == "stdin":
                outcome.asked = True
                kernel.client.input(_LINE, message)
            else:
                outcome.shown += shown_text(message)
        outcome.status = (await request).content.get("status", "missing")
    return outcome


def _without_input(outcome: _Outcome) -> Finding:
    advice = "give code what it needs in another way"
    if outcome.asked:
        return problem("asks for input, and code does not get the answer", advice)
    if outcome.status is None:
        return note("code that asks for input waits for ever, and nobody is asked", advice)
    return note(
        f"code that asks for input goes on without (status {outcome.status}), and nobody is asked",
        advice,
    )
