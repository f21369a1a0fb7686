"""The suite that kernels are tested with, run over this client and over jupyter_client."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import unittest
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from kernel_mgmt import KernelClient, KernelFinder, Message, Request, start_kernel_async
from kernel_mgmt_spec import KernelSpecProvider

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    jupyter_kernel_test: Any = import_module("jupyter_kernel_test")

SAMPLES: dict[str, dict[str, Any]] = {
    "ipykernel": {
        "argv": ["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "language": "python",
        "language_name": "python",
        "file_extension": ".py",
        "code_hello_world": "print('hello, world')",
        "code_stderr": "import sys; print('test', file=sys.stderr)",
        "completion_samples": [{"text": "zi", "matches": {"zip"}}],
        "complete_code_samples": ["1", "print('hello, world')"],
        "incomplete_code_samples": ["print('''hello", "def f(x):\n  x*2"],
        "invalid_code_samples": ["import = 7q"],
        "code_generate_error": "raise",
        "code_execute_result": [{"code": "1+2+3", "result": "6"}],
        "code_display_data": [
            {"code": "from IPython.display import HTML, display; display(HTML('<b>a</b>'))",
             "mime": "text/html"}
        ],
        "code_history_pattern": "1?2*",
        "supported_history_operations": ("tail", "search"),
        "code_inspect_sample": "zip",
        "code_clear_output": "from IPython.display import clear_output; clear_output()",
    },
    "xeus-python": {
        "argv": ["python3", "-m", "xpython_launcher", "-f", "{connection_file}", "--raw"],
        "language": "python",
        "language_name": "python",
        "file_extension": ".py",
        "code_hello_world": "print('hello, world')",
        "code_generate_error": "raise ValueError",
        "complete_code_samples": ["1"],
        "code_inspect_sample": "print",
    },
    "IRkernel": {
        "argv": ["R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"],
        "language": "R",
        "language_name": "R",
        "file_extension": ".r",
        "code_hello_world": "cat('hello, world')",
        "code_stderr": "message('test')",
        "completion_samples": [{"text": "zi"}],
        "complete_code_samples": ["1", "f <- function(x) {x*2}"],
        "incomplete_code_samples": ['"hello', "f <- function(x) {"],
        "code_generate_error": "stop('a')",
        "code_inspect_sample": "print",
    },
}  # fmt: skip


class Channel:
    """The messages of one channel, as jupyter_client hands them out."""

    def __init__(self) -> None:
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()

    def put(self, message: Message) -> None:
        self._messages.put(
            {
                "header": message.header,
                "msg_id": message.msg_id,
                "msg_type": message.msg_type,
                "parent_header": message.parent_header,
                "metadata": message.metadata,
                "content": message.content,
                "buffers": message.buffers,
            }
        )

    def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        return self._messages.get(timeout=timeout)


class Oracle:
    """What the suite calls a client and a manager, over this client in a loop of its own."""

    def __init__(self, portal: BlockingPortal, client: KernelClient) -> None:
        self.shell_channel = Channel()
        self.iopub_channel = Channel()
        self.get_shell_msg = self.shell_channel.get_msg
        self._portal = portal
        self._client = client
        client.add_handler(self.shell_channel.put, "shell")
        client.add_handler(self.iopub_channel.put, "iopub")

    def __getattr__(self, name: str) -> Callable[..., str]:
        def send(*arguments: object, **keywords: object) -> str:
            request: Request = getattr(self._client, name)(*arguments, **keywords)
            return request.msg_id

        def call(*arguments: object, **keywords: object) -> str:
            return self._portal.call(lambda: send(*arguments, **keywords))

        return call

    def stop_channels(self) -> None: ...

    def shutdown_kernel(self) -> None:
        self._portal.call(self._client.shutdown_or_terminate)
        self._portal.call(self._client.close)


def make_case(name: str) -> type[Any]:
    return type(name, (jupyter_kernel_test.KernelTests,), {**SAMPLES[name], "kernel_name": name})


def failures_of(case: type[Any]) -> tuple[set[str], int]:
    """The names of the tests that fail, and how many did not."""
    result = unittest.TestResult()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        unittest.TestLoader().loadTestsFromTestCase(case).run(result)
    failed = {test.id().rpartition(".")[2] for test, _ in (*result.failures, *result.errors)}
    return failed, result.testsRun - len(result.skipped) - len(failed)


# jupyter_client runs in a process of its own: it leaves threads and sockets to the interpreter.
PEER = """
import json, sys
from tests.client.test_kernel_oracle import failures_of, make_case
print(json.dumps(sorted(failures_of(make_case(sys.argv[1]))[0])))
"""


@cache
def failures_over_jupyter_client(name: str) -> frozenset[str]:
    """The names of the tests that fail over jupyter_client; the environment has the kernels."""
    peer = subprocess.run(
        [sys.executable, "-c", PEER, name],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return frozenset(json.loads(peer.stdout.splitlines()[-1]))


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, sample in SAMPLES.items():
        folder = tmp_path / "kernels" / name.lower()
        folder.mkdir(parents=True)
        spec = {"argv": sample["argv"], "display_name": name, "language": sample["language"]}
        (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    return tmp_path / "kernels"


@pytest.mark.parametrize("name", SAMPLES)
def test_no_test_of_a_kernel_fails_that_does_not_fail_over_jupyter_client(
    name: str, kernels: Path
) -> None:
    case = make_case(name)
    finder = KernelFinder([KernelSpecProvider(search_path=[str(kernels)])])

    async def start() -> KernelClient:
        return (await start_kernel_async(name, finder=finder))[1]

    with start_blocking_portal() as portal:
        oracle = Oracle(portal, portal.call(start))

        def set_up(cls: Any) -> None:
            cls.km = cls.kc = oracle

        case.setUpClass = classmethod(set_up)
        failed, passed = failures_of(case)

    assert failed - failures_over_jupyter_client(name) == set()
    assert passed >= 5
