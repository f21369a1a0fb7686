"""Messages folded into the outputs of a notebook cell (nbformat v4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._lenient import content_of, lines_of, object_of, text_of

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import JSONDict

__all__ = ("OutputFolder",)


class OutputFolder:
    """Folds what a kernel publishes for one request into outputs.

    Text that follows text of the same stream is joined to it, a display that is updated changes
    wherever it stands, and outputs are cleared when the kernel says so. What is not as it should be
    is made so, and raises nothing.

    :ivar outputs: the outputs so far, in the shapes of nbformat v4
    """

    def __init__(self) -> None:
        self.outputs: list[JSONDict] = []
        self._displays: dict[str, list[JSONDict]] = {}
        self._clear_at_next = False

    def add(self, message: Message) -> None:
        """Fold a message in; one that is no output changes nothing."""
        match message.msg_type:
            case "stream":
                self._stream(content_of(message))
            case "display_data" | "execute_result" as output_type:
                self._display(content_of(message), output_type)
            case "update_display_data":
                self._update(content_of(message))
            case "error":
                self._error(content_of(message))
            case "clear_output":
                self._clear(content_of(message))
            case _:
                pass

    def _stream(self, content: JSONDict) -> None:
        name, text = text_of(content.get("name")) or "stdout", text_of(content.get("text"))
        self._clear_if_due()
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["text"] += text
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": text})

    def _display(self, content: JSONDict, output_type: str) -> None:
        self._clear_if_due()
        output: JSONDict = {
            "output_type": output_type,
            "data": object_of(content.get("data")),
            "metadata": object_of(content.get("metadata")),
        }
        if output_type == "execute_result":
            count = content.get("execution_count")
            output["execution_count"] = count if isinstance(count, int) else None
        self.outputs.append(output)
        display_id = _display_id(content)
        if display_id is not None:
            self._displays.setdefault(display_id, []).append(output)

    def _update(self, content: JSONDict) -> None:
        display_id = _display_id(content)
        for output in self._displays.get(display_id or "", ()):
            output["data"] = object_of(content.get("data"))
            output["metadata"] = object_of(content.get("metadata"))

    def _error(self, content: JSONDict) -> None:
        self._clear_if_due()
        self.outputs.append(
            {
                "output_type": "error",
                "ename": text_of(content.get("ename")),
                "evalue": text_of(content.get("evalue")),
                "traceback": lines_of(content.get("traceback")),
            }
        )

    def _clear(self, content: JSONDict) -> None:
        if content.get("wait"):
            self._clear_at_next = True
        else:
            self._clear_now()

    def _clear_if_due(self) -> None:
        if self._clear_at_next:
            self._clear_now()

    def _clear_now(self) -> None:
        self._clear_at_next = False
        self.outputs.clear()
        self._displays.clear()


def _display_id(content: JSONDict) -> str | None:
    display_id = object_of(content.get("transient")).get("display_id")
    return display_id if isinstance(display_id, str) else None
