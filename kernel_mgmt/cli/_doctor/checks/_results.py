"""Oddity 10: results that are no ``execute_result``."""

from __future__ import annotations

import anyio

from kernel_mgmt.cli._doctor._findings import Finding, note, ok, problem
from kernel_mgmt.cli._doctor._shown import shown_text
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject

_RESULT = "42"


async def check(subject: Subject, kernel: RunningKernel) -> Finding:
    if subject.snippets is None:
        return note(f"no code here with a result in {subject.attributes.get('language')!r}")
    request = kernel.client.execute(subject.snippets.result, idle_timeout=subject.patience)
    with anyio.fail_after(2 * subject.patience):
        texts = [(message.msg_type, shown_text(message)) async for message in request]
    shown = [(msg_type, text) for msg_type, text in texts if _RESULT in text]
    if not shown:
        return problem("the result is not published")
    msg_type, text = shown[0]
    odd = [] if msg_type == "execute_result" else [f"comes as {msg_type}"]
    odd += ["has ANSI colours in text/plain"] if "\x1b[" in text else []
    odd += ["ends its lines with \\r\\n"] if "\r\n" in text else []
    if odd:
        return note(f"the result {', '.join(odd)}", "Request.outputs() has it all the same")
    return ok("the result is an execute_result")
