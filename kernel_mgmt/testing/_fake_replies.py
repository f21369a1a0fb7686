"""What the fake kernel replies to each type of request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ._fake_commands import COMMANDS, CommandError, Execution, Exit, Interrupted, run_command

if TYPE_CHECKING:
    from ._fake_sockets import Received
    from .fake_kernel import FakeKernel

# The content of the reply, or None if there is none.
Content: TypeAlias = dict[str, Any] | None


def _kernel_info(kernel: FakeKernel, _: Received) -> Content:
    language: dict[str, Any] = {"name": "fake"}
    content: dict[str, Any] = {
        "status": "ok",
        "protocol_version": kernel.switches.protocol_version,
        "implementation": "fake",
        "language_info": language,
    }
    if not kernel.switches.bare_kernel_info:
        language |= {"version": "1", "mimetype": "text/plain", "file_extension": ".fake"}
        content |= {"implementation_version": "1", "banner": "A fake kernel", "help_links": []}
        content["supported_features"] = []
    if kernel.switches.false_features:
        content["supported_features"] = ["debugger", "kernel subshells"]
    return content


def _execute(kernel: FakeKernel, request: Received) -> Content:
    if kernel.aborting:
        return {"status": "aborted"}
    code = str(request.content.get("code", ""))
    if not request.content.get("silent", False):
        kernel.history.append(code)
        content = {"code": code, "execution_count": len(kernel.history)}
        kernel.publish("execute_input", content, request.raw_header)
    count = len(kernel.history)
    reply: dict[str, Any] = {"status": "ok", "execution_count": count, "user_expressions": {}}
    kernel.interrupted = False
    try:
        for line in filter(None, map(str.strip, code.splitlines())):
            run_command(Execution(kernel, request), line)
    except CommandError as error:
        reply |= _fail(kernel, request, error)
    except Interrupted:
        reply |= _fail(kernel, request, CommandError("KeyboardInterrupt", ""))
        reply["status"] = kernel.switches.interrupted_status
    kernel.abort_queued = reply["status"] != "ok" and request.content.get("stop_on_error", True)
    return reply


def _fail(kernel: FakeKernel, request: Received, error: CommandError) -> dict[str, Any]:
    text = f"{error.name}: {error.text}"
    if kernel.switches.errors_as_ok:
        kernel.publish("stream", {"name": "stderr", "text": text}, request.raw_header)
        return {"status": "ok"}
    content = {"ename": error.name, "evalue": error.text, "traceback": [text]}
    if kernel.switches.error_message:
        kernel.publish("error", content, request.raw_header)
    return {"status": "error", **content}


def _complete(_: FakeKernel, request: Received) -> Content:
    end = request.content["cursor_pos"]
    start = request.content["code"].rfind("\n", 0, end) + 1
    matches = [name for name in COMMANDS if name.startswith(request.content["code"][start:end])]
    places = {"cursor_start": start, "cursor_end": end}
    return {"status": "ok", "matches": matches, "metadata": {}, **places}


def _inspect(_: FakeKernel, request: Received) -> Content:
    name = request.content["code"].partition(" ")[0]
    found = name in COMMANDS
    data = {"text/plain": f"the command {name}"} if found else {}
    return {"status": "ok", "found": found, "data": data, "metadata": {}}


def _history(kernel: FakeKernel, _: Received) -> Content:
    entries = [[0, number, code] for number, code in enumerate(kernel.history, 1)]
    return {"status": "ok", "history": entries}


def _is_complete(_: FakeKernel, request: Received) -> Content:
    if request.content["code"].endswith("\\"):
        return {"status": "incomplete", "indent": ""}
    return {"status": "complete"}


def _comm_info(kernel: FakeKernel, request: Received) -> Content:
    wanted = request.content.get("target_name")
    comms = {
        comm_id: {"target_name": target}
        for comm_id, target in kernel.comms.items()
        if wanted in (None, target)
    }
    return {"status": "ok", "comms": comms}


def _comm_open(kernel: FakeKernel, request: Received) -> Content:
    kernel.comms[request.content["comm_id"]] = request.content["target_name"]
    return None


def _comm_msg(kernel: FakeKernel, request: Received) -> Content:
    content = request.content
    if kernel.comms.get(content["comm_id"]) == "input":
        line = kernel.ask(request, content["data"]["prompt"], password=False)
        content = {**content, "data": {"value": line}}
    kernel.publish("comm_msg", content, request.raw_header, request.buffers)
    return None


def _comm_close(kernel: FakeKernel, request: Received) -> Content:
    kernel.comms.pop(request.content["comm_id"], None)
    return None


def _interrupt(kernel: FakeKernel, _: Received) -> Content:
    if kernel.switches.interrupt_request == "exit":
        raise Exit(1)
    if kernel.switches.interrupt_request == "obey":
        kernel.interrupted = True
    return {"status": "ok"}


def _shutdown(kernel: FakeKernel, request: Received) -> Content:
    on_shell = kernel.switches.shell_shutdown if request.channel == "shell" else "obey"
    if on_shell == "exit":
        raise Exit(0)
    content = {"status": "ok", "restart": request.content.get("restart", False)}
    if on_shell == "obey" and not kernel.switches.ignore_shutdown:
        kernel.exit_code = 0
        kernel.publish("shutdown_reply", content, request.raw_header)
    return content


def _create_subshell(_kernel: FakeKernel, _request: Received) -> Content:
    return {"status": "ok", "subshell_id": "1"}


REPLIES: Mapping[str, Callable[[FakeKernel, Received], Content]] = {
    "comm_close": _comm_close,
    "comm_info_request": _comm_info,
    "comm_msg": _comm_msg,
    "comm_open": _comm_open,
    "complete_request": _complete,
    "execute_request": _execute,
    "history_request": _history,
    "inspect_request": _inspect,
    "interrupt_request": _interrupt,
    "is_complete_request": _is_complete,
    "kernel_info_request": _kernel_info,
    "shutdown_request": _shutdown,
}
FALSE_FEATURES: Mapping[str, Callable[[FakeKernel, Received], Content]] = {
    "create_subshell_request": _create_subshell,
}
