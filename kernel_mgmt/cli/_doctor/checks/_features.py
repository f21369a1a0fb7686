"""Oddity 1: features that are claimed, since the kernel is built on another, and not there."""

from __future__ import annotations

from kernel_mgmt.cli._doctor._findings import Finding, note, ok
from kernel_mgmt.cli._doctor._languages import Snippets
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject, output_within, reply_within

_SUBSHELLS, _DEBUGGER = "kernel subshells", "debugger"


async def check(subject: Subject, kernel: RunningKernel) -> Finding:
    features: object = kernel.info.get("supported_features")
    claimed = [name for name in (_DEBUGGER, _SUBSHELLS) if _lists(features, name)]
    snippets = subject.snippets
    if not claimed:
        return ok("claims neither subshells nor a debugger")
    if snippets is None and _SUBSHELLS in claimed:
        return note(
            "claims kernel subshells, and there is no code here to try them in its language"
        )
    async with subject.started() as own:
        false: list[str] = []
        if _DEBUGGER in claimed and not await _debugs(own, subject.patience):
            false.append("a debugger, and does not answer it")
        if snippets is None or _SUBSHELLS not in claimed:
            pass
        elif not await _runs_in_parallel(own, snippets, subject.patience):
            false.append("kernel subshells, and what runs in one waits for the main shell")
    if false:
        return note(f"claims {'; '.join(false)}", "do without, in this kernel")
    return ok(f"has what it claims: {', '.join(claimed)}")


async def _debugs(kernel: RunningKernel, patience: float) -> bool:
    return await reply_within(kernel.client.debug("debugInfo"), patience) is not None


async def _runs_in_parallel(kernel: RunningKernel, snippets: Snippets, patience: float) -> bool:
    created = await reply_within(kernel.client.create_subshell(), patience)
    subshell_id: object = None if created is None else created.content.get("subshell_id")
    if not isinstance(subshell_id, str):
        return False
    busy = kernel.client.execute(snippets.busy)
    await output_within(busy, patience)
    beside = kernel.client.execute(snippets.result, subshell_id=subshell_id)
    return await reply_within(beside, patience) is not None


def _lists(features: object, name: str) -> bool:
    return isinstance(features, list) and name in features
