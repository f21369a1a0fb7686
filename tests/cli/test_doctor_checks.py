"""Each check of a kernel finds its oddity, and finds none where there is none."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from kernel_mgmt.cli._doctor._examination import examine
from kernel_mgmt.cli._doctor._findings import Finding, note, ok
from kernel_mgmt.cli._doctor._languages import Snippets
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject
from kernel_mgmt.cli._doctor.checks import CHECKS, Check
from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt_spec import KernelSpecProvider

pytestmark = pytest.mark.anyio

# For what never comes, and for what may take its time where others are at work, too.
SHORT, LONG = 0.2, 30.0
CURVE = {"supported_encryption": ["curve"]}
OVER_IPC = {"kernel_mgmt": {"transport": "ipc"}}
UNSUPPORTED = {"kernel_mgmt": {"interrupt_mode": "unsupported"}}


def make_subject(
    directory: Path,
    *switches: str,
    patience: float = LONG,
    argv: list[str] | None = None,
    **spec: Any,
) -> Subject:
    """A fake kernel with some switches, by a kernelspec with some more in it."""
    argv = [*(argv or []), *fake_kernel_argv(*switches)]
    content = {"argv": argv, "display_name": "Fake", "language": "fake", **spec}
    (directory / "kernels" / "fake").mkdir(parents=True)
    (directory / "kernels" / "fake" / "kernel.json").write_text(json.dumps(content))
    finder = KernelFinder([KernelSpecProvider([directory / "kernels"])])
    return Subject("spec/fake", finder, finder.get("spec/fake"), directory, patience=patience)


async def examine_some(subject: Subject, *names: str) -> dict[str, Finding]:
    """Run the checks of these names."""
    return await examine(subject, [check for check in CHECKS if check.name in names])


async def find(name: str, subject: Subject) -> Finding:
    """Run the check of this name."""
    return (await examine_some(subject, name))[name]


def assert_found(found: dict[str, Finding], expected: dict[str, tuple[str, str]]) -> None:
    """Each has this result and begins with these words, and something is advised."""
    start = {name: len(seen) for name, (_, seen) in expected.items()}
    assert {
        name: (finding.result, finding.seen[: start[name]])
        for name, finding in found.items()
        if name in expected
    } == expected
    assert all(found[name].advice for name in expected)


async def test_nothing_is_noted_of_a_kernel_that_behaves_well(tmp_path: Path) -> None:
    found = await examine(make_subject(tmp_path, metadata=CURVE | OVER_IPC))

    assert list(found) == ["start", *(check.name for check in CHECKS)]
    assert {name: finding for name, finding in found.items() if finding.result != "ok"} == {}


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        (
            ["--stderr", "a warning", "--orphans", "3", "--null-parent", "--bare-kernel-info"],
            {
                "stderr": ("note", "writes as it starts over tcp: a warning"),
                "orphans": ("note", "outputs that belong to no request: 3"),
                "parent-header": ("note", "the parent header of iopub_welcome is null"),
                "kernel-info": ("note", "lacks implementation_version, banner, supported_features"),
            },
        ),
        (
            [
                "--status-of",
                "inspect=aborted",
                "--status-of",
                "execute=abort",
                "--no-error-message",
            ],
            {
                "requests": ("note", "the status of inspect_reply is aborted"),
                "errors": ("note", "the status is abort, no error is published, only replied"),
                "curve": ("note", "encrypts with CURVE, and its kernelspec does not say so"),
                "ipc": ("note", "speaks ipc, and is reached over tcp"),
            },
        ),
        (
            ["--errors-as-ok", "--no-welcome", "--bad-signature", "exit", "--ignore-curve"],
            {
                "errors": ("problem", "code that fails has the status ok, and publishes stream"),
                "iopub-welcome": ("note", "sends no iopub_welcome"),
                "signature": ("problem", "ends (exit code 1) when a message has a wrong signature"),
                "curve": ("note", "does not encrypt when it is given keys for CURVE"),
            },
        ),
        (
            ["--no-status", "--ipc", "exit"],
            {
                "kernel-info": ("note", "lacks status"),
                "ipc": ("note", "does not come up over ipc: The kernel 'spec/fake' ended before"),
            },
        ),
    ],
)
async def test_an_oddity_is_found(
    switches: list[str], expected: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    found = await examine_some(make_subject(tmp_path, *switches), *expected)

    assert_found(found, expected)


async def test_silence_is_found(tmp_path: Path) -> None:
    switches = ["--false-features", "--mute", "history_request", "--bad-signature", "wedge"]
    switches += ["--mute-without-key", "--ipc", "hang"]
    expected = {
        "features": ("note", "claims a debugger, and does not answer it; kernel subshells, and"),
        "requests": ("note", "no answer to history_request"),
        "signature": ("problem", "answers nothing on shell after a message with a wrong signature"),
        "empty-key": ("note", "does not answer when its key is empty"),
        "ipc": ("note", "does not come up over ipc: The kernel 'spec/fake' was not ready within"),
    }
    subject = make_subject(tmp_path, *switches, patience=SHORT)

    found = await examine_some(subject, *expected)

    assert_found(found, expected)


async def test_curve_that_is_listed_and_ignored_is_a_problem(tmp_path: Path) -> None:
    finding = await find(
        "curve", make_subject(tmp_path, "--ignore-curve", metadata=CURVE | OVER_IPC)
    )

    assert finding.result == "problem"
    assert finding.advice == "take 'curve' out of metadata.supported_encryption"


async def test_over_ipc_a_bad_signature_is_no_danger(tmp_path: Path) -> None:
    finding = await find(
        "signature", make_subject(tmp_path, "--bad-signature", "exit", metadata=OVER_IPC)
    )

    assert finding.result == "note"


@pytest.mark.parametrize(
    ("switches", "seen"),
    [([], "SIGTERM ends it"), (["--ignore-sigterm"], "SIGTERM does not end it")],
)
async def test_a_shutdown_that_is_not_obeyed_is_found(
    switches: list[str], seen: str, tmp_path: Path
) -> None:
    subject = make_subject(tmp_path, "--ignore-shutdown", *switches, patience=SHORT)

    finding = await find("shutdown", subject)

    assert finding.result == "note"
    assert finding.seen.endswith(f"s after a shutdown_request; {seen}")


@pytest.mark.parametrize(
    ("ask", "result", "seen"),
    [
        ("print no question", "note", "code that asks for input goes on without (status ok), and"),
        ("sleep 60", "note", "code that asks for input waits for ever, and nobody is asked"),
        ("password ?", "ok", "asks for input and takes it; where nobody can be asked, the status"),
    ],
)
async def test_what_becomes_of_code_that_asks_is_told(
    ask: str, result: str, seen: str, tmp_path: Path
) -> None:
    subject = with_code(make_subject(tmp_path, patience=SHORT), ask=ask)

    finding = await find("stdin", subject)

    assert (finding.result, finding.seen[: len(seen)]) == (result, seen)


async def test_code_that_is_not_busy_tells_nothing_of_interrupts(tmp_path: Path) -> None:
    subject = with_code(make_subject(tmp_path), busy="raise TypeError no console")

    finding = await find("interrupt", subject)

    assert finding.result == "note"
    assert finding.seen.startswith(
        "SIGINT cannot be tried (code that should be busy has the status"
    )


async def test_child_processes_are_counted(tmp_path: Path) -> None:
    finding = await find("shutdown", make_subject(tmp_path, "--leave-child"))

    assert finding.seen.endswith("kernel_mgmt sees to its child processes (1)")


async def test_a_file_that_is_left_is_found(tmp_path: Path) -> None:
    argv = ["/bin/sh", "-c", 'echo > left-over; exec "$@"', "sh"]

    finding = await find("files", make_subject(tmp_path, argv=argv))

    assert (finding.result, finding.seen) == ("note", "leaves in its working directory: left-over")


async def test_a_result_in_another_shape_is_found(tmp_path: Path) -> None:
    codes = [
        "stream stdout 42",
        'publish display_data {"data": {"text/plain": "42"}}',
        "result \x1b[33m42\x1b[0m",
        "result 43",
    ]
    subject = make_subject(tmp_path)
    check = next(check for check in CHECKS if check.name == "results")
    async with subject.started() as kernel:
        found = [await check.examine(with_code(subject, result=code), kernel) for code in codes]

    assert [(finding.result, finding.seen) for finding in found] == [
        ("note", "the result comes as stream"),
        ("note", "the result comes as display_data"),
        ("note", "the result has ANSI colours in text/plain"),
        ("problem", "the result is not published"),
    ]


@pytest.mark.parametrize(
    ("switches", "spec", "result", "advice"),
    [
        (
            ["--sigint", "die"],
            {},
            "problem",
            'its kernelspec should say "interrupt_mode": "message"',
        ),
        (
            ["--sigint", "exit", "--interrupt-request", "reply"],
            {},
            "problem",
            "end the kernel to stop what it does, and say so in its kernelspec",
        ),
        (
            ["--sigint", "ignore", "--interrupt-request", "ignore"],
            {"metadata": UNSUPPORTED},
            "note",
            "kernel_mgmt knows of it, and raises InterruptUnsupportedError",
        ),
        (
            ["--sigint", "exit"],
            {"interrupt_mode": "message"},
            "ok",
            "",
        ),
    ],
)
async def test_what_interrupts_is_compared_with_what_the_kernelspec_says(
    switches: list[str], spec: dict[str, Any], result: str, advice: str, tmp_path: Path
) -> None:
    finding = await find("interrupt", make_subject(tmp_path, *switches, patience=SHORT, **spec))

    assert finding.result == result
    assert finding.advice.startswith(advice)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere: xeus-python is installed on Linux")
async def test_what_is_odd_about_xeus_is_noted() -> None:
    finder = KernelFinder([KernelSpecProvider()])
    subject = Subject("spec/xpython-raw", finder, finder.get("spec/xpython-raw"), patience=SHORT)

    found = await examine_some(subject, "parent-header", "interrupt")

    assert found["parent-header"].seen == "the parent header of iopub_welcome is null"
    assert found["interrupt"].seen.startswith("SIGINT ends it (exit code 0), an interrupt_request")
    assert found["interrupt"].result == "note"


async def test_a_language_without_code_is_noted(tmp_path: Path) -> None:
    found = await examine(
        make_subject(tmp_path, "--false-features", language="oblong"),
        [check for check in CHECKS if check.name in ("features", "errors", "results", "interrupt")],
    )

    assert [finding.result for finding in found.values()] == ["ok", *["note"] * 4]
    assert found["errors"].seen == "no code here to fail in 'oblong'"


async def test_a_kernel_that_ends_during_a_check_is_a_problem(tmp_path: Path) -> None:
    finding = await find("errors", with_code(make_subject(tmp_path), error="exit 3"))

    assert finding.result == "problem"
    assert finding.seen == "the kernel ended during the check (exit code 3)"


async def test_a_check_that_hangs_is_given_up_and_hides_no_other(tmp_path: Path) -> None:
    async def hang(_subject: Subject, _kernel: RunningKernel) -> Finding:
        await anyio.sleep_forever()
        return ok("never")

    async def look(_subject: Subject, _kernel: RunningKernel) -> Finding:
        return note("looked")

    subject = make_subject(tmp_path, patience=SHORT)
    checks = [Check("hang", hang), Check("look", look, starts_own=True)]

    found = await examine(subject, checks, waits=0.1)

    assert found["hang"].seen.startswith("the check was given up after")
    assert found["look"] == note("looked")


def with_code(subject: Subject, **code: str) -> Subject:
    """The same, where checks run other code."""
    nothing = dict.fromkeys(("busy", "error", "result", "ask", "large"), "")
    return replace(subject, code=Snippets(**{**nothing, **code}))
