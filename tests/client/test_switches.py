"""What a user of the client sees of each switch of the fake kernel: an outcome or an error, no hang."""

from __future__ import annotations

from argparse import Action
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import NamedTuple, TypeAlias, cast

import anyio
import pytest

from kernel_mgmt import (
    KernelClient,
    KernelDiedError,
    KernelLaunchError,
    LaunchOptions,
    Message,
    Request,
)
from kernel_mgmt.testing._fake_switches import make_parser
from kernel_mgmt_subprocess import (
    SubprocessHandshakeKernelLauncher,
    SubprocessKernelLauncher,
    SubprocessLauncher,
)

from .conftest import MakeLauncher, StartFake, ipc_launcher, keyless_launcher

Use: TypeAlias = Callable[[KernelClient], Awaitable[object]]
Check: TypeAlias = Callable[[KernelClient], Awaitable[None]]

# How long a kernel is given that will not answer (seconds).
SOON = 0.3


def handshake_launcher(argv: list[str], runtime_dir: Path) -> SubprocessLauncher:
    launcher = SubprocessHandshakeKernelLauncher(argv, runtime_dir=runtime_dir)
    # One that hangs is given up, and launched the classic way.
    launcher.handshake_timeout = SOON if "hang" in argv else 30
    return launcher


def encrypting_launcher(argv: list[str], runtime_dir: Path) -> SubprocessLauncher:
    options = LaunchOptions(encryption="required")
    return SubprocessKernelLauncher(argv, options=options, runtime_dir=runtime_dir)


# What a user may see


def gives(value: object, use: Use) -> Check:
    async def check(client: KernelClient) -> None:
        assert await use(client) == value

    return check


def raises(kind: type[Exception], use: Use) -> Check:
    async def check(client: KernelClient) -> None:
        with pytest.raises(kind):
            await use(client)

    return check


def exceeds_its_limit(use: Use) -> Check:
    async def check(client: KernelClient) -> None:
        with pytest.raises(TimeoutError), anyio.fail_after(SOON):
            await use(client)

    return check


# What a user may do


async def ready(client: KernelClient) -> object:
    return await client.wait_for_ready()


async def printed(client: KernelClient) -> list[str]:
    """All that the kernel publishes for one request."""
    return [output["text"] for output in await client.execute("print a").outputs()]


async def executed(client: KernelClient) -> Message:
    return await client.execute("result 1")


async def asked_for_input(client: KernelClient) -> Message:
    return await client.execute("input name", allow_stdin=True)


async def executed_until_the_end(client: KernelClient) -> None:
    while True:
        await executed(client)


async def failed(client: KernelClient) -> list[str]:
    """The status of a failure, and the kinds of its outputs."""
    request = client.execute("raise ValueError nonsense")
    outputs = await request.outputs()
    return [(await request).content["status"], *(output["output_type"] for output in outputs)]


async def statuses(client: KernelClient) -> list[object]:
    """The status of what succeeds, and of what fails."""
    codes = ("result 1", "raise ValueError nonsense")
    return [(await client.execute(code)).content.get("status") for code in codes]


async def told_as_incomplete(client: KernelClient) -> bool:
    request = client.execute("result 1", idle_timeout=0)
    await request
    return request.incomplete


async def protocol_and_text(client: KernelClient) -> list[str]:
    assert client.kernel_info_dict is not None
    return [client.kernel_info_dict["protocol_version"], *await printed(client)]


async def language_and_banner(client: KernelClient) -> list[str | None]:
    info = client.kernel_info_dict
    assert info is not None
    return [info["language_info"]["name"], info.get("banner")]


async def used(client: KernelClient) -> Message:
    return await client.usage()


async def a_subshell_that_is_none(client: KernelClient) -> None:
    created = await client.create_subshell()
    await running(client)
    with pytest.raises(TimeoutError), anyio.fail_after(SOON):
        await client.execute("result 1", subshell_id=created.content["subshell_id"])


async def ended(client: KernelClient) -> str:
    return await client.shutdown_or_terminate(30)


async def ended_in_haste(client: KernelClient) -> str:
    return await client.shutdown_or_terminate(1)


async def running(client: KernelClient) -> Request:
    """A request that the kernel is busy with."""
    request = client.execute("print a\nsleep 60")
    async for message in request:
        if message.msg_type == "stream":
            break
    return request


async def interrupted(client: KernelClient) -> str:
    """The status of what was interrupted by a signal."""
    request = await running(client)
    await client.interrupt()
    return str((await request).content["status"])


async def interrupted_by_message(client: KernelClient) -> str:
    assert client.manager is not None
    client.manager.interrupt_mode = "message"
    return await interrupted(client)


def control_answers(*, busy: bool, idle: bool) -> Check:
    async def check(client: KernelClient) -> None:
        request = await running(client)
        assert await answers_on_control(client, busy) is busy
        await client.interrupt()
        await request
        assert await answers_on_control(client, idle) is idle

    return check


async def answers_on_control(client: KernelClient, expected: bool) -> bool:
    with anyio.move_on_after(30 if expected else SOON) as scope:
        await client.kernel_info(channel="control")
    return not scope.cancelled_caught


async def is_heard_while_busy(client: KernelClient) -> None:
    assert client.manager is not None
    async with KernelClient(client.connection_info, use_heartbeat=0.05) as other:
        await other.wait_for_ready()
        await running(client)
        await client.manager.signal(SIGSTOP)
        await until(other, beating=False)
        await client.manager.signal(SIGCONT)
        await until(other, beating=True)


async def is_heard_when_idle(client: KernelClient) -> None:
    async with KernelClient(client.connection_info, use_heartbeat=0.05) as other:
        await other.wait_for_ready()
        await running(client)
        await until(other, beating=False)
        await client.interrupt()
        await until(other, beating=True)


async def is_not_heard(client: KernelClient) -> None:
    async with KernelClient(client.connection_info, use_heartbeat=0.05) as other:
        await other.wait_for_ready()
        await until(other, beating=False)


async def until(client: KernelClient, *, beating: bool) -> None:
    while client.is_beating is not beating:
        await anyio.sleep(0.005)


async def heard_with_a_stranger(client: KernelClient, limit: float | None = None) -> bool:
    """Execute while somebody speaks with another key."""
    info = {**client.connection_info, "key": "wrong"}
    async with KernelClient(info) as stranger:  # type: ignore[arg-type]
        for _ in range(20):
            stranger.kernel_info()
            with anyio.fail_after(limit):
                await executed(client)
    return True


async def only_control_is_left(client: KernelClient) -> None:
    with pytest.raises(TimeoutError):
        await heard_with_a_stranger(client, SOON)

    assert await answers_on_control(client, True)


class Row(NamedTuple):
    switches: str
    check: Check
    ready: bool = True
    make_launcher: MakeLauncher = ipc_launcher


PRINTS = gives(["a\n"], printed)
ROWS = (
    Row("--slow-start 0.2", PRINTS),
    Row("--exit-at-start 3", raises(KernelDiedError, ready), ready=False),
    Row("--stderr hello", PRINTS),
    Row("--fail-starts 1 {file}", raises(KernelDiedError, ready), ready=False),
    Row("--leave-child", gives("shutdown", ended)),
    Row("--leave-session-child", gives("shutdown", ended)),
    Row("--ipc speak", PRINTS),
    Row("--ipc exit", raises(KernelDiedError, ready), ready=False),
    Row("--ipc hang", exceeds_its_limit(ready), ready=False),
    Row("--handshake exit", PRINTS, make_launcher=handshake_launcher),
    Row("--handshake hang", PRINTS, make_launcher=handshake_launcher),
    Row("--handshake dealer", PRINTS, make_launcher=handshake_launcher),
    Row("--handshake req", PRINTS, make_launcher=handshake_launcher),
    Row("--ignore-curve", raises(KernelLaunchError, ready), False, encrypting_launcher),
    Row("--mute-without-key", exceeds_its_limit(ready), False, keyless_launcher),
    Row("--no-welcome", PRINTS),
    Row("--late-iopub 0.2", PRINTS),
    Row("--orphans 3", PRINTS),
    Row("--null-parent", PRINTS),
    Row("--never-idle", gives(True, told_as_incomplete)),
    Row("--protocol-version 4.1", gives(["4.1", "a\n"], protocol_and_text)),
    Row("--protocol-version 6.0", gives(["6.0", "a\n"], protocol_and_text)),
    Row("--protocol-version nonsense", gives(["nonsense", "a\n"], protocol_and_text)),
    Row("--bare-kernel-info", gives(["fake", None], language_and_banner)),
    Row("--false-features", a_subshell_that_is_none),
    Row("--no-status", gives([None, None], statuses)),
    Row("--status-of execute=abort", gives(["abort", "abort"], statuses)),
    Row("--mute execute_request", exceeds_its_limit(executed)),
    Row("--silent-unknown", exceeds_its_limit(used)),
    Row("--errors-as-ok", gives(["ok", "stream"], failed)),
    Row("--no-error-message", gives(["error"], failed)),
    Row("--control answer", control_answers(busy=True, idle=True)),
    Row("--control idle", control_answers(busy=False, idle=True)),
    Row("--control shutdown", control_answers(busy=False, idle=False)),
    Row("--control silent", control_answers(busy=False, idle=False)),
    Row("--heartbeat always", is_heard_while_busy),
    Row("--heartbeat idle", is_heard_when_idle),
    Row("--heartbeat silent", is_not_heard),
    Row("--no-stdin", PRINTS),
    Row("--no-stdin", exceeds_its_limit(asked_for_input)),
    Row("--bad-signature ignore", gives(True, heard_with_a_stranger)),
    Row("--bad-signature wedge", only_control_is_left),
    Row("--bad-signature exit", raises(KernelDiedError, heard_with_a_stranger)),
    Row("--exit-after 20", raises(KernelDiedError, executed_until_the_end)),
    Row("--sigint interrupt", gives("error", interrupted)),
    Row("--sigint ignore", exceeds_its_limit(interrupted)),
    Row("--sigint exit", raises(KernelDiedError, interrupted)),
    Row("--sigint die", raises(KernelDiedError, interrupted)),
    Row("--ignore-sigterm --ignore-shutdown", gives("killed", ended_in_haste)),
    Row("--interrupt-request obey", gives("error", interrupted_by_message)),
    Row("--interrupt-request reply", exceeds_its_limit(interrupted_by_message)),
    Row("--interrupt-request ignore", exceeds_its_limit(interrupted_by_message)),
    Row("--interrupt-request exit", raises(KernelDiedError, interrupted_by_message)),
    Row("--interrupted-status error", gives("error", interrupted)),
    Row("--interrupted-status abort", gives("abort", interrupted)),
    Row("--interrupted-status aborted", gives("aborted", interrupted)),
    Row("--interrupted-status ok", gives("ok", interrupted)),
    Row("--ignore-shutdown", gives("terminated", ended_in_haste)),
    # The client asks on control.
    Row("--shell-shutdown obey", gives("shutdown", ended)),
    Row("--shell-shutdown reply", gives("shutdown", ended)),
    Row("--shell-shutdown exit", gives("shutdown", ended)),
    Row("--shell-shutdown ignore", gives("shutdown", ended)),
)


@pytest.mark.anyio
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.switches)
async def test_a_user_sees_an_outcome_or_an_error_and_no_hang(
    row: Row, start_fake: StartFake, tmp_path: Path
) -> None:
    switches = row.switches.replace("{file}", str(tmp_path / "count")).split()

    with anyio.move_on_after(60) as scope:
        client = await start_fake(*switches, ready=row.ready, make_launcher=row.make_launcher)
        await row.check(client)

    assert not scope.cancelled_caught


def test_no_switch_is_left_out() -> None:
    used = [row.switches.split() for row in ROWS]
    seen = {item for words in used for item in words}
    seen |= {f"{name} {value}" for words in used for name, value in pairwise(words)}

    assert set(switches_of_the_parser()) - seen == set()


def switches_of_the_parser() -> Iterator[str]:
    actions = cast("list[Action]", vars(make_parser())["_actions"])
    for action in actions:
        if action.required or action.dest == "help":
            continue
        for name in action.option_strings:
            yield from [name] if action.choices is None else [f"{name} {c}" for c in action.choices]
