"""Oddity 9: errors that look like success."""

from __future__ import annotations

import anyio

from kernel_mgmt.cli._doctor._findings import Finding, note, ok, problem
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject


async def check(subject: Subject, kernel: RunningKernel) -> Finding:
    if subject.snippets is None:
        return note(f"no code here to fail in {subject.attributes.get('language')!r}")
    request = kernel.client.execute(subject.snippets.error, idle_timeout=subject.patience)
    with anyio.fail_after(2 * subject.patience):
        published = [message.msg_type async for message in request]
        status: object = (await request).content.get("status", "missing")
    if status == "ok":
        return problem(
            f"code that fails has the status ok, and publishes {', '.join(_outputs(published))}",
            "look at what the code has printed; its status tells nothing",
        )
    odd = [] if status == "error" else [f"the status is {status}"]
    odd += [] if "error" in published else ["no error is published, only replied"]
    if odd:
        return note(", ".join(odd), "kernel_mgmt takes every status but ok for an error")
    return ok("an error is replied and published")


def _outputs(published: list[str]) -> list[str]:
    return [name for name in published if name not in ("status", "execute_input")] or ["nothing"]
