"""Oddity 8: requests that get no answer, or an answer with an odd status."""

from __future__ import annotations

from collections.abc import Mapping

import anyio

from kernel_mgmt.cli._doctor._findings import Finding, note, ok, problem
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject, reply_within
from kernel_mgmt.client import Request
from kernel_mgmt.messages import Message, MessageFactory

_USUAL = {"is_complete": ("complete", "incomplete", "invalid", "unknown")}


async def check(subject: Subject, kernel: RunningKernel) -> Finding:
    client = kernel.client
    requests = {
        "complete": client.complete("x"),
        "inspect": client.inspect("x"),
        "history": client.history(hist_access_type="tail", n=1),
        "is_complete": client.is_complete("1"),
        "comm_info": client.comm_info(),
    }
    replies = await _replies(requests, subject.patience)
    odd = [f"no answer to {name}_request" for name, reply in replies.items() if reply is None]
    for name, reply in replies.items():
        if reply is None:
            continue
        if "status" not in reply.content:
            odd.append(f"{name}_reply has no status")
        elif reply.content["status"] not in _USUAL.get(name, ("ok", "error")):
            odd.append(f"the status of {name}_reply is {reply.content['status']}")
    if not await _survives_the_unknown(kernel, subject.patience):
        return problem("answers nothing after a request of an unknown type")
    if odd:
        return note(", ".join(odd), "give such requests a time limit, and read status with get()")
    return ok(f"answers {', '.join(requests)}")


async def _replies(requests: Mapping[str, Request], seconds: float) -> dict[str, Message | None]:
    # They were sent at once, so that the time for one is the time for all.
    until = anyio.current_time() + seconds
    return {
        name: await reply_within(request, max(0, until - anyio.current_time()))
        for name, request in requests.items()
    }


async def _survives_the_unknown(kernel: RunningKernel, seconds: float) -> bool:
    kernel.client.send("shell", MessageFactory().make("no_such_request", {})[1])
    return await reply_within(kernel.client.kernel_info(), seconds) is not None
