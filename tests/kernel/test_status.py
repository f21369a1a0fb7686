"""What a kernel is doing, as its messages tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kernel_mgmt.kernel._status import KernelStatus
from kernel_mgmt.messages import Message, MessageFactory

FACTORY = MessageFactory()


def status_message(state: str, parent_id: str, **parent: str) -> Message:
    header = {"msg_id": parent_id, "msg_type": "execute_request", **parent}
    content = {"execution_state": state}
    return Message("iopub", FACTORY.make("status", content, parent_header=header)[1])


@pytest.fixture
def status() -> KernelStatus:
    """The status of a kernel that is ready."""
    ticks = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n) for n in range(1000))
    status = KernelStatus(lambda: next(ticks))
    status.run()
    return status


def test_a_kernel_is_busy_until_its_request_is_done(status: KernelStatus) -> None:
    states = [status.state]
    for told in ("busy", "idle"):
        status.take(status_message(told, "a"))
        states.append(status.state)

    assert states == ["idle", "busy", "idle"]


def test_a_control_request_does_not_make_a_busy_kernel_idle(status: KernelStatus) -> None:
    status.take(status_message("busy", "a"))
    status.take(status_message("busy", "b", msg_type="usage_request"))
    status.take(status_message("idle", "b", msg_type="usage_request"))
    before = status.state
    status.take(status_message("idle", "a"))

    assert before == "busy"
    assert status.state == "idle"


def test_a_kernel_that_is_busy_in_a_subshell_is_busy(status: KernelStatus) -> None:
    status.take(status_message("busy", "a", subshell_id="1"))
    status.take(status_message("busy", "b"))
    status.take(status_message("idle", "b"))

    assert status.state == "busy"


def test_an_idle_that_was_lost_is_made_up_for_by_the_next_request(status: KernelStatus) -> None:
    status.take(status_message("busy", "a"))
    status.take(status_message("busy", "b"))
    status.take(status_message("idle", "b"))

    assert status.state == "idle"


def test_a_state_is_not_followed_while_the_kernel_is_started_or_ended(
    status: KernelStatus,
) -> None:
    status.enter("stopping", "it was asked for")
    status.take(status_message("busy", "a"))

    assert status.state == "stopping"
    assert status.execution_state == "busy"


def test_what_the_kernel_before_was_doing_is_forgotten(status: KernelStatus) -> None:
    status.take(status_message("busy", "a"))
    status.begin_life()
    status.run()

    assert status.state == "idle"
    assert status.execution_state is None


def test_any_message_is_activity_and_only_a_change_begins_a_state(status: KernelStatus) -> None:
    since, active = status.since, status.last_activity
    status.take(Message("iopub", FACTORY.make("stream", {"name": "stdout", "text": ""})[1]))
    status.take(status_message("idle", "x"))

    assert status.since == since
    assert status.last_activity > active
