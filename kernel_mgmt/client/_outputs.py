"""Messages folded into the outputs of a notebook cell (nbformat v4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import JSONDict

__all__ = ("OutputFolder",)


class OutputFolder:
    """Folds what a kernel publishes for one request into outputs.

    Text that follows text of the same stream is joined to it, a display that is updated changes
    wherever it stands, and outputs are cleared when the kernel says so.

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
                self._stream(message.content)
            case "display_data" | "execute_result" as output_type:
                self._display(message.content, output_type)
            case "update_display_data":
                self._update(message.content)
            case "error":
                self._error(message.content)
            case "clear_output":
                self._clear(message.content)
            case _:
                pass

    def _stream(self, content: JSONDict) -> None:
        name, text = str(content.get("name", "stdout")), str(content.get("text", ""))
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
            "data": content.get("data", {}),
            "metadata": content.get("metadata", {}),
        }
        if output_type == "execute_result":
            output["execution_count"] = content.get("execution_count")
        self.outputs.append(output)
        display_id = _display_id(content)
        if display_id is not None:
            self._displays.setdefault(display_id, []).append(output)

    def _update(self, content: JSONDict) -> None:
        display_id = _display_id(content)
        for output in self._displays.get(display_id or "", ()):
            output["data"] = content.get("data", {})
            output["metadata"] = content.get("metadata", {})

    def _error(self, content: JSONDict) -> None:
        self._clear_if_due()
        self.outputs.append(
            {
                "output_type": "error",
                "ename": str(content.get("ename", "")),
                "evalue": str(content.get("evalue", "")),
                "traceback": list(content.get("traceback", ())),
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
    transient = content.get("transient")
    if not isinstance(transient, dict):
        return None
    display_id = cast("JSONDict", transient).get("display_id")
    return display_id if isinstance(display_id, str) else None
