"""Oddity 15: interrupts that have no effect, or end the kernel."""

from __future__ import annotations

from signal import SIGINT
from typing import Literal, TypeAlias

import anyio

from kernel_mgmt.cli._doctor._findings import Finding, note, ok, problem
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject, output_within, reply_within
from kernel_mgmt.exceptions import KernelDiedError, KernelLaunchError
from kernel_mgmt.messages import Message

_Mode: TypeAlias = Literal["signal", "message"]
_NAMES: dict[_Mode, str] = {"signal": "SIGINT", "message": "an interrupt_request"}
_INTERRUPTS, _UNTRIED = "interrupts", "cannot be tried"
# How long code that is busy is seen to be so before it is interrupted (seconds).
_A_MOMENT = 0.1


async def check(subject: Subject, kernel: RunningKernel) -> Finding:
    if subject.snippets is None:
        return note(f"no code here that is busy in {subject.attributes.get('language')!r}")
    effects: dict[_Mode, str] = {}

    async def try_out(mode: _Mode) -> None:
        try:
            effects[mode] = await _effect(subject, mode)
        except KernelLaunchError as error:
            effects[mode] = f"{_UNTRIED} ({error.reason})"

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(try_out, "signal")
        tasks.start_soon(try_out, "message")
    modes: tuple[_Mode, ...] = ("signal", "message")
    seen = ", ".join(f"{_NAMES[mode]} {effects[mode]}" for mode in modes)
    if any(effect.startswith(_UNTRIED) for effect in effects.values()):
        return note(seen, "run some code in it: its installation may be incomplete")
    works: list[str] = [mode for mode in modes if effects[mode].startswith(_INTERRUPTS)]
    return _judge(
        seen, works, kernel.manager.interrupt_mode, subject.attributes.get("interrupt_mode")
    )


async def _effect(subject: Subject, mode: _Mode) -> str:
    """Interrupt a kernel that is busy, and tell what comes of it."""
    assert subject.snippets is not None
    async with subject.started() as own:
        try:
            request = own.client.execute(subject.snippets.busy)
            await output_within(request, subject.patience)
            if (early := await reply_within(request, _A_MOMENT)) is not None:
                return (
                    f"{_UNTRIED} (code that should be busy has the status {_status(early)} at once)"
                )
            sent = None
            if mode == "signal":
                await own.manager.signal(SIGINT)
            else:
                sent = own.client.interrupt_request()
            reply = await reply_within(request, subject.patience)
            if reply is not None:
                return f"{_INTERRUPTS} (status {_status(reply)})"
            answered = sent is not None and await reply_within(sent, 0.1) is not None
        except KernelDiedError as error:
            return f"ends it ({error.exit_status})"
    return "is answered and has no effect" if answered else "has no effect"


def _status(reply: Message) -> object:
    return reply.content.get("status", "missing")


def _judge(seen: str, works: list[str], used: str, told: str | None) -> Finding:
    """Compare what works with what kernel_mgmt does, and with what the kernelspec says."""
    if used in works:
        if told in works:
            return ok(seen)
        return note(
            seen,
            f'kernel_mgmt knows of it; for other programs its kernelspec should say "interrupt_mode": '
            f'"{used}"',
        )
    if works:
        return problem(seen, f'its kernelspec should say "interrupt_mode": "{works[0]}"')
    if used == "unsupported":
        return note(seen, "kernel_mgmt knows of it, and raises InterruptUnsupportedError")
    return problem(
        seen,
        'end the kernel to stop what it does, and say so in its kernelspec: "metadata": '
        '{"kernel_mgmt": {"interrupt_mode": "unsupported"}}',
    )
