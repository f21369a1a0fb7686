"""Whether Enter runs a cell of which the kernel cannot tell whether it is complete."""

from __future__ import annotations

import anyio
import pytest

from kernel_mgmt.cli._console._completeness import CompletenessJudge, Verdict, seems_complete
from kernel_mgmt.client import KernelClient
from kernel_mgmt.testing.fake_kernel import fake_kernel_argv
from kernel_mgmt_subprocess import SubprocessIPCKernelLauncher


@pytest.mark.parametrize("code", ["ls -l", "echo 'a b'", "f(x)[1]", "echo \\'", "", "docker ps"])
def test_one_line_is_complete(code: str) -> None:
    assert seems_complete(code)


@pytest.mark.parametrize(
    "code",
    [
        "echo 'a",
        "f(x",
        "if (x) {",
        "ls |",
        "make \\",
        "for i in 1 2; do",
        "true &&",
        "if true; then",
    ],
)
def test_one_line_that_goes_on_is_not_complete(code: str) -> None:
    assert not seems_complete(code)


def test_several_lines_are_complete_with_an_empty_one() -> None:
    assert not seems_complete("for i in 1 2; do\n  echo $i\ndone")
    assert seems_complete("for i in 1 2; do\n  echo $i\ndone\n  ")


@pytest.mark.anyio
async def test_a_kernel_that_does_not_answer_does_not_hold_up_enter() -> None:
    launcher = SubprocessIPCKernelLauncher(fake_kernel_argv())
    connection_info, manager = await launcher.launch()
    async with KernelClient(connection_info, manager) as client:
        await client.wait_for_ready()
        judge = CompletenessJudge(client)
        # While it runs something, it answers nothing else on shell.
        running = client.execute("sleep 600")

        with anyio.fail_after(30):
            assert await judge.judge("if x:\n  y") == Verdict(False, "  ")
            assert await judge.judge("x") == Verdict(True)

        await client.interrupt()
        await running
        await client.shutdown_or_terminate()
