from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from kernel_mgmt.exceptions import KernelSpecError, NoSuchKernelError
from kernel_mgmt.types import LaunchOptions
from kernel_mgmt_spec import KernelSpecProvider

pytestmark = pytest.mark.anyio

TELL = "import json, os, sys; json.dump([sys.argv, dict(os.environ)], open('told', 'w'))"


def write(folder: Path, *, kernel_file: str = "kernel.json", **content: Any) -> None:
    folder.mkdir(parents=True)
    spec = {"argv": ["prog"], "display_name": "A kernel", "language": "lang"} | content
    (folder / kernel_file).write_text(json.dumps(spec))


async def launched(
    provider: KernelSpecProvider, name: str, cwd: Path, **arguments: Any
) -> tuple[dict[str, Any], Any, Any]:
    """Launch a kernel that tells what it was given, and then ends.

    :return: the connection info, its argv and its environment
    """
    connection_info, manager = await provider.launch(name, cwd, **arguments)
    with anyio.fail_after(20):
        await manager.wait()
    await manager.cleanup()
    argv, env = json.loads((cwd / "told").read_text())
    return dict(connection_info), argv, env


@pytest.fixture
def private_runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))


def test_a_listing_has_the_attributes_of_each_kernelspec(tmp_path: Path) -> None:
    schema = {"properties": {"cores": {"type": "integer"}}}
    write(
        tmp_path / "Full",
        env={"A": "a"},
        interrupt_mode="message",
        metadata={"parameters": schema},
        kernel_protocol_version="5.5",
    )
    write(tmp_path / "plain")

    kernels = dict(KernelSpecProvider([tmp_path]).find_kernels())

    assert kernels == {
        "full": {
            "display_name": "A kernel",
            "language": "lang",
            "language_info": {"name": "lang"},
            "argv": ["prog"],
            "env": {"A": "a"},
            "resource_dir": str(tmp_path / "Full"),
            "interrupt_mode": "message",
            "metadata": {"parameters": schema},
            "kernel_protocol_version": "5.5",
            "launch_parameters": schema,
        },
        "plain": {
            "display_name": "A kernel",
            "language": "lang",
            "language_info": {"name": "lang"},
            "argv": ["prog"],
            "env": {},
            "resource_dir": str(tmp_path / "plain"),
            "interrupt_mode": "signal",
            "metadata": {},
        },
    }


def test_one_kernel_has_the_attributes_of_the_listing(tmp_path: Path) -> None:
    write(tmp_path / "plain", metadata={"debugger": True})
    provider = KernelSpecProvider([tmp_path])

    assert provider.get_kernel("PLAIN") == dict(provider.find_kernels())["plain"]


def test_attributes_that_a_caller_adds_stay_with_the_caller(tmp_path: Path) -> None:
    write(tmp_path / "plain")
    provider = KernelSpecProvider([tmp_path])
    listed = dict(provider.find_kernels())["plain"]

    listed["display_name"] = "other"
    provider.get_kernel("plain")["display_name"] = "other"

    assert dict(provider.find_kernels())["plain"].get("display_name") == "A kernel"
    assert provider.get_kernel("plain").get("display_name") == "A kernel"


def test_attributes_follow_a_change_of_the_kernelspec(tmp_path: Path) -> None:
    write(tmp_path / "a", display_name="old")
    provider = KernelSpecProvider([tmp_path])
    before = dict(provider.find_kernels())["a"].get("display_name")

    write(tmp_path / "b", display_name="newer")
    (tmp_path / "b" / "kernel.json").replace(tmp_path / "a" / "kernel.json")

    assert before == "old"
    assert provider.get_kernel("a").get("display_name") == "newer"
    assert {name: told.get("display_name") for name, told in provider.find_kernels()} == {
        "a": "newer"
    }


def test_problems_bear_the_id_of_the_provider(tmp_path: Path) -> None:
    class Remote(KernelSpecProvider):
        id = "remote"

    write(tmp_path / "broken", argv=None)
    provider = Remote([tmp_path])
    before = provider.problems

    assert list(provider.find_kernels()) == []
    assert before == ()
    assert [(p.provider, p.name) for p in provider.problems] == [("remote", "broken")]


def test_a_subclass_shares_the_directories_by_a_file_of_its_own(tmp_path: Path) -> None:
    class Remote(KernelSpecProvider):
        id = "remote"
        kernel_file = "remote_kernel.json"

    write(tmp_path / "here")
    write(tmp_path / "there", kernel_file="remote_kernel.json")

    assert [name for name, _ in KernelSpecProvider([tmp_path]).find_kernels()] == ["here"]
    assert [name for name, _ in Remote([tmp_path]).find_kernels()] == ["there"]
    assert Remote([tmp_path]).find_kernel_spec("there").name == "there"


async def test_an_unknown_or_broken_kernel_is_not_launched(tmp_path: Path) -> None:
    write(tmp_path / "broken", argv="prog")
    provider = KernelSpecProvider([tmp_path])

    with pytest.raises(NoSuchKernelError):
        await provider.launch("missing")
    with pytest.raises(KernelSpecError):
        await provider.launch("broken")


@pytest.mark.usefixtures("private_runtime_dir")
async def test_a_kernel_is_given_what_its_kernelspec_says(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", TELL, "{resource_dir}", "{size}"]
    write(tmp_path / "specs" / "tell", argv=argv, env={"TOLD": "${HOME}!"})
    provider = KernelSpecProvider([tmp_path / "specs"])

    connection_info, argv, env = await launched(
        provider, "tell", tmp_path, launch_params={"size": 3}
    )

    assert argv[1:] == [str(tmp_path / "specs" / "tell"), "3"]
    assert env["TOLD"].endswith("!")
    assert "$" not in env["TOLD"]
    assert connection_info["kernel_name"] == "tell"


@pytest.mark.usefixtures("private_runtime_dir")
async def test_a_launch_follows_the_configuration_of_the_kernel(tmp_path: Path) -> None:
    write(tmp_path / "tell", argv=[sys.executable, "-c", TELL])
    provider = KernelSpecProvider([tmp_path])
    provider.load_config({"kernels": {"Tell": {"transport": "ipc"}}})

    connection_info, _, _ = await launched(provider, "tell", tmp_path)

    assert connection_info["transport"] == "ipc"


def test_a_configuration_with_a_setting_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="'udp' for transport"):
        KernelSpecProvider().load_config({"transport": "udp"})


@pytest.mark.usefixtures("private_runtime_dir")
async def test_a_kernel_of_protocol_5_6_is_given_a_registration_file_first(tmp_path: Path) -> None:
    tell = "import json, sys; print(*json.load(open(sys.argv[1])), file=open('given', 'a'))"
    argv = [sys.executable, "-c", tell, "{connection_file}"]
    write(tmp_path / "tell", argv=argv, kernel_protocol_version="5.6")

    _, manager = await KernelSpecProvider([tmp_path]).launch("tell", tmp_path)
    await manager.wait()
    await manager.cleanup()
    first, second = (tmp_path / "given").read_text().splitlines()

    assert "registration_port" in first
    assert "shell_port" in second


@pytest.mark.parametrize("mode", ["signal", "message"])
@pytest.mark.usefixtures("private_runtime_dir")
async def test_a_kernel_is_interrupted_as_its_kernelspec_says(tmp_path: Path, mode: str) -> None:
    write(tmp_path / "tell", argv=[sys.executable, "-c", TELL], interrupt_mode=mode)

    _, manager = await KernelSpecProvider([tmp_path]).launch("tell", tmp_path)
    await manager.kill()
    await manager.cleanup()

    assert manager.interrupt_mode == mode


@pytest.mark.parametrize(
    ("argument", "wanted", "used"),
    [
        ("other", "auto", "tcp"),
        ("ipykernel", "auto", "ipc"),
        ("ipykernel_launcher", "auto", "ipc"),
        ("ipykernel_launcher", "tcp", "tcp"),
        ("other", "ipc", "ipc"),
    ],
)
@pytest.mark.usefixtures("private_runtime_dir")
async def test_the_transport_is_the_one_that_is_wanted_or_else_fits(
    tmp_path: Path, argument: str, wanted: Any, used: str
) -> None:
    write(tmp_path / "tell", argv=[sys.executable, "-c", TELL, "-m", argument])
    provider = KernelSpecProvider([tmp_path])

    connection_info, _, _ = await launched(
        provider, "tell", tmp_path, options=LaunchOptions(transport=wanted)
    )

    assert connection_info["transport"] == used


def test_a_listing_loads_nothing_that_launches() -> None:
    script = (
        "import sys, kernel_mgmt_spec; list(kernel_mgmt_spec.KernelSpecProvider().find_kernels());"
        "print({'kernel_mgmt_subprocess', 'subprocess', 'anyio', 'zmq'} & set(sys.modules))"
    )

    completed = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert completed.stdout.strip() == "set()", completed.stderr


def test_the_plan_of_a_launch_follows_the_configuration(tmp_path: Path) -> None:
    write(tmp_path / "mine", argv=["python", "-m", "ipykernel_launcher"])
    provider = KernelSpecProvider([tmp_path])
    provider.load_config({"transport": "tcp"})

    assert provider.plan_launch("mine")["transport"] == "tcp"
    with pytest.raises(NoSuchKernelError):
        provider.plan_launch("other")
