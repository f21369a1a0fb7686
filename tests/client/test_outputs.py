from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any

import anyio
import pytest

from kernel_mgmt import KernelClient, Message
from kernel_mgmt.client._interactive import print_output
from kernel_mgmt.client._outputs import OutputFolder
from kernel_mgmt.messages import MessageFactory

from .conftest import StartFake

pytestmark = pytest.mark.anyio


def folded(*messages: tuple[str, Mapping[str, object]]) -> list[dict[str, Any]]:
    factory = MessageFactory()
    folder = OutputFolder()
    for msg_type, content in messages:
        folder.add(Message("iopub", factory.make(msg_type, content)[1]))
    return folder.outputs


def stream(text: str, name: str = "stdout") -> tuple[str, dict[str, object]]:
    return "stream", {"name": name, "text": text}


def display(
    text: str, display_id: str | None = None, msg_type: str = "display_data"
) -> tuple[str, dict[str, object]]:
    transient = {} if display_id is None else {"display_id": display_id}
    return msg_type, {"data": {"text/plain": text}, "metadata": {}, "transient": transient}


def test_text_of_one_stream_is_joined_and_of_another_is_not() -> None:
    outputs = folded(stream("a"), stream("b"), stream("c", "stderr"), stream("d"))

    assert [(output["name"], output["text"]) for output in outputs] == [
        ("stdout", "ab"),
        ("stderr", "c"),
        ("stdout", "d"),
    ]


def test_each_kind_of_output_has_the_shape_of_a_notebook() -> None:
    result = {"data": {"text/plain": "1"}, "metadata": {"m": 1}, "execution_count": 3}
    error = {"ename": "E", "evalue": "v", "traceback": ["t"]}

    outputs = folded(stream("a"), display("b"), ("execute_result", result), ("error", error))

    assert outputs == [
        {"output_type": "stream", "name": "stdout", "text": "a"},
        {"output_type": "display_data", "data": {"text/plain": "b"}, "metadata": {}},
        {"output_type": "execute_result", **result},
        {"output_type": "error", **error},
    ]


def test_an_updated_display_changes_wherever_it_stands() -> None:
    outputs = folded(
        display("a", "one"),
        display("b"),
        display("a", "one"),
        display("new", "one", "update_display_data"),
        display("other", "two", "update_display_data"),
    )

    assert [output["data"] for output in outputs] == [
        {"text/plain": "new"},
        {"text/plain": "b"},
        {"text/plain": "new"},
    ]


def test_cleared_output_is_gone_at_once_or_at_the_next_output() -> None:
    assert folded(stream("a"), ("clear_output", {"wait": False})) == []
    assert len(folded(stream("a"), ("clear_output", {"wait": True}))) == 1
    assert [
        output["text"]
        for output in folded(stream("a"), ("clear_output", {"wait": True}), stream("b"))
    ] == ["b"]


def test_what_is_no_output_or_lacks_its_content_changes_nothing_else() -> None:
    outputs = folded(
        ("status", {"execution_state": "busy"}),
        ("stream", {}),
        ("display_data", {"transient": None}),
        ("error", {}),
    )

    assert [output["output_type"] for output in outputs] == ["stream", "display_data", "error"]


@pytest.mark.parametrize("oddity", [None, 7, "a\nb", ["a", None, 3], {"text/plain": None}])
@pytest.mark.parametrize(
    ("msg_type", "fields"),
    [
        ("stream", ("name", "text")),
        ("display_data", ("data", "metadata", "transient")),
        ("execute_result", ("data", "metadata", "execution_count")),
        ("error", ("ename", "evalue", "traceback")),
    ],
)
def test_odd_fields_are_folded_into_the_shapes_of_a_notebook(
    msg_type: str, fields: tuple[str, ...], oddity: object, capsys: pytest.CaptureFixture[str]
) -> None:
    content = dict.fromkeys(fields, oddity)

    (output,) = folded((msg_type, content))
    print_output(Message("iopub", MessageFactory().make(msg_type, content)[1]))

    for field, value in output.items():
        assert isinstance(value, SHAPES[field]), field
    assert all(isinstance(line, str) for line in output.get("traceback", ()))


SHAPES: dict[str, type | UnionType] = {
    "output_type": str,
    "name": str,
    "text": str,
    "data": dict,
    "metadata": dict,
    "execution_count": int | None,
    "ename": str,
    "evalue": str,
    "traceback": list,
}


def test_a_traceback_in_one_piece_becomes_lines() -> None:
    (output,) = folded(("error", {"ename": "E", "traceback": "first\nsecond"}))

    assert output["traceback"] == ["first", "second"]


@pytest.mark.parametrize("content", ["[1]", "null", "{"])
def test_content_that_is_no_object_is_an_empty_output(
    content: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = OutputFolder()

    folder.add(Message("iopub", [b'{"msg_type": "error"}', b"{}", b"{}", content.encode()]))

    assert folder.outputs == [{"output_type": "error", "ename": "", "evalue": "", "traceback": []}]
    assert ("cannot be read" in caplog.text) is (content != "null")


async def test_odd_outputs_of_a_kernel_raise_nothing(start_fake: StartFake) -> None:
    client = await start_fake()
    code = 'publish error {"traceback": null}\npublish display_data {"data": null}\nprint a'

    with anyio.fail_after(30):
        outputs = await client.execute(code).outputs()

    assert [output["output_type"] for output in outputs] == ["error", "display_data", "stream"]


async def test_outputs_of_a_real_kernel_are_folded(ipykernel: KernelClient) -> None:
    code = """
from IPython.display import display, clear_output
print("a"); clear_output(wait=True); print("b"); print("c")
handle = display("old", display_id=True); handle.update("new")
1 / 0
"""
    with anyio.fail_after(20):
        outputs = await ipykernel.execute(code).outputs()

    assert [output["output_type"] for output in outputs] == ["stream", "display_data", "error"]
    assert outputs[0]["text"] == "b\nc\n"
    assert outputs[1]["data"]["text/plain"] == "'new'"
    assert outputs[2]["ename"] == "ZeroDivisionError"


async def test_outputs_come_without_awaiting_the_reply(start_fake: StartFake) -> None:
    client = await start_fake()

    with anyio.fail_after(30):
        outputs = await client.execute("print a\nresult 1").outputs()

    assert [output["output_type"] for output in outputs] == ["stream", "execute_result"]
