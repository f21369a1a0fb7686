from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernel_mgmt.classic import AsyncKernelClient, BlockingKernelClient, Session
from kernel_mgmt.classic._settings import Settings

INFO: Settings = {
    "transport": "tcp",
    "ip": "127.0.0.1",
    "shell_port": 1,
    "stdin_port": 2,
    "iopub_port": 3,
    "hb_port": 4,
    "control_port": 5,
    "key": "secret",
    "signature_scheme": "hmac-sha256",
}


@pytest.fixture
def connection_file(tmp_path: Path) -> Path:
    path = tmp_path / "kernel-1.json"
    path.write_text(json.dumps({**INFO, "kernel_name": "python3"}), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", [AsyncKernelClient, BlockingKernelClient])
def test_a_connection_file_is_loaded(
    kind: type[AsyncKernelClient | BlockingKernelClient], connection_file: Path
) -> None:
    client = kind(connection_file=connection_file)

    client.load_connection_file()

    assert client.ports == [1, 2, 3, 4, 5]
    assert client.get_connection_info() == {**INFO, "key": b"secret"}


def test_a_connection_file_may_be_named_when_it_is_loaded(connection_file: Path) -> None:
    client = BlockingKernelClient()

    client.load_connection_file(str(connection_file))

    assert client.connection_file == str(connection_file)
    assert client.shell_port == 1


def test_ports_that_were_given_stand_over_those_of_the_file(connection_file: Path) -> None:
    client = BlockingKernelClient(connection_file=connection_file, hb_port=99)

    client.load_connection_file()

    assert client.ports == [1, 2, 3, 99, 5]


def test_a_file_that_is_no_connection_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[]")

    with pytest.raises(ValueError, match=r"a\.json is not a connection file"):
        BlockingKernelClient().load_connection_file(path)


def test_connection_info_makes_an_equal_client() -> None:
    settings: Settings = {**INFO, "curve_publickey": "p", "curve_secretkey": b"s"}
    client = BlockingKernelClient(**settings)

    with_key, with_session = BlockingKernelClient(), AsyncKernelClient()
    with_key.load_connection_info(client.get_connection_info())
    with_session.load_connection_info(client.get_connection_info(session=True))
    made = AsyncKernelClient(**client.get_connection_info(session=True))

    assert with_key.get_connection_info() == made.get_connection_info()
    assert made.get_connection_info() == client.get_connection_info()
    assert made.session is not client.session
    assert made.curve_publickey == b"p"
    assert with_session.ports == client.ports


def test_sockets_over_ipc_are_named_by_an_absolute_path(tmp_path: Path) -> None:
    client = BlockingKernelClient(transport="ipc", connection_file=tmp_path / "kernel-1.json")

    assert client.ip == str(tmp_path / "kernel-1-ipc")


def test_a_client_that_is_told_no_ports_says_what_it_lacks() -> None:
    client = BlockingKernelClient(key="secret")

    with pytest.raises(ValueError, match="control_port"):
        client.start_channels()


def test_a_session_makes_messages() -> None:
    session = Session(session="me", username="my name", key="secret")

    first = session.msg("comm_msg", {"data": 1}, metadata={"a": 2})
    second = session.msg("input_reply", parent=first)

    assert first["content"] == {"data": 1}
    assert first["metadata"] == {"a": 2}
    assert first["header"]["session"] == "me"
    assert first["header"]["username"] == "my name"
    assert first["msg_id"] != second["msg_id"]
    assert second["parent_header"] == first["header"]
    assert (session.key, session.bsession) == (b"secret", b"me")
