"""Configuration from kernel_mgmt.toml, and from other mappings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from kernel_mgmt.discovery import KernelFinder

from .conftest import MakeProvider, WritePlugin

CONFIGURED = """
from kernel_mgmt.discovery import KernelProviderBase

class Provider(KernelProviderBase):
    id = "a"

    def load_config(self, config=None):
        self.config = config

    def find_kernels(self):
        yield "x", {"metadata": {"config": self.config}}

    async def launch(self, name, cwd=None, launch_params=None):
        raise NotImplementedError
"""


def write(directory: Path, content: str | bytes) -> Path:
    directory.mkdir(exist_ok=True)
    encoded = content.encode() if isinstance(content, str) else content
    (directory / "kernel_mgmt.toml").write_bytes(encoded)
    return directory


def config_of(finder: KernelFinder) -> object:
    return finder.get("a/x").get("metadata", {})["config"]


def test_a_provider_is_handed_its_section_of_the_file(
    write_plugin: WritePlugin, tmp_path: Path
) -> None:
    directory = write(tmp_path / "etc", '[providers.a]\nurl = "here"\n[providers.b]\nurl = "no"')
    plugin = write_plugin("a", CONFIGURED)
    finder = KernelFinder.from_entrypoints([plugin], config_path=[directory])

    assert config_of(finder) == {"url": "here"}


def test_without_a_section_a_provider_is_handed_none(
    write_plugin: WritePlugin, tmp_path: Path
) -> None:
    finder = KernelFinder.from_entrypoints([write_plugin("a", CONFIGURED)], config_path=[tmp_path])

    assert config_of(finder) is None
    assert finder.problems == ()


def test_the_file_is_looked_for_in_the_configuration_path_of_jupyter(
    write_plugin: WritePlugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = write(tmp_path / "etc", '[providers.a]\nurl = "here"')
    monkeypatch.delenv("JUPYTER_NO_CONFIG")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(directory))
    finder = KernelFinder.from_entrypoints([write_plugin("a", CONFIGURED)])

    assert config_of(finder) == {"url": "here"}


def test_an_earlier_directory_comes_before_a_later_one(
    write_plugin: WritePlugin, tmp_path: Path
) -> None:
    mine = write(tmp_path / "mine", '[providers.a]\nurl = "mine"')
    theirs = write(tmp_path / "theirs", '[providers.a]\nurl = "theirs"\nuser = "they"')
    finder = KernelFinder.from_entrypoints(
        [write_plugin("a", CONFIGURED)], config_path=[mine, tmp_path / "missing", theirs]
    )

    assert config_of(finder) == {"url": "mine", "user": "they"}


@pytest.mark.parametrize(
    "content",
    ["[providers", b"\xff\xfe", "a = " + "[" * 100_000],
    ids=["not TOML", "not UTF-8", "nested too deeply"],
)
def test_a_file_that_cannot_be_read_is_reported_and_the_others_hold(
    write_plugin: WritePlugin, tmp_path: Path, content: str | bytes
) -> None:
    broken = write(tmp_path / "broken", content)
    sound = write(tmp_path / "sound", '[providers.a]\nurl = "here"')
    finder = KernelFinder.from_entrypoints(
        [write_plugin("a", CONFIGURED)], config_path=[broken, sound]
    )

    assert config_of(finder) == {"url": "here"}
    (problem,) = finder.problems
    assert problem.path == str(broken / "kernel_mgmt.toml")


def test_a_byte_order_mark_is_read_over(write_plugin: WritePlugin, tmp_path: Path) -> None:
    marked = write(tmp_path / "marked", b'\xef\xbb\xbf[providers.a]\nurl = "here"')
    finder = KernelFinder.from_entrypoints([write_plugin("a", CONFIGURED)], config_path=[marked])

    assert config_of(finder) == {"url": "here"}
    assert finder.problems == ()


def test_a_file_that_is_a_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "kernel_mgmt.toml").mkdir()
    finder = KernelFinder.from_entrypoints([], config_path=[tmp_path])

    assert "it cannot be read" in finder.problems[0].reason


def test_the_settings_of_the_finder_stand_at_the_top(
    write_plugin: WritePlugin, tmp_path: Path
) -> None:
    directory = write(tmp_path / "etc", 'default_kernel = "a/x"\ndeny = ["b/*"]')
    finder = KernelFinder.from_entrypoints([write_plugin("a", CONFIGURED)], config_path=[directory])

    assert finder.default_kernel() == "a/x"


def test_a_configuration_that_is_passed_keeps_the_files_out(
    write_plugin: WritePlugin, tmp_path: Path
) -> None:
    directory = write(tmp_path / "etc", '[providers.a]\nurl = "file"')
    finder = KernelFinder.from_entrypoints(
        [write_plugin("a", CONFIGURED)], {}, config_path=[directory]
    )

    assert config_of(finder) is None


@pytest.mark.parametrize(
    "config",
    [
        {"providers": {"a": {"url": "here"}}},
        {"a": {"url": "here"}},
        {"Provider": {"url": "here"}},
        Config({"Provider": {"url": "here"}}),
        Config({"providers": {"a": {"url": "here"}}}),
    ],
    ids=repr,
)
def test_a_section_bears_the_id_or_the_name_of_the_class(
    make_provider: MakeProvider, config: Any
) -> None:
    handed: list[Any] = []
    KernelFinder([make_provider("a", "x", load_config=handed.append)], config=config).get("a/x")

    assert [dict(section) for section in handed] == [{"url": "here"}]


def test_a_traitlets_configuration_may_set_the_finder(make_provider: MakeProvider) -> None:
    config = Config()
    config.KernelFinder.deny = ["a/x"]
    finder = KernelFinder([make_provider("a", "x", "y")], config=config)

    assert [name for name, _ in finder.find_kernels()] == ["a/y"]


@pytest.mark.parametrize("config", [{"a": 3}, {"providers": 3}, {"providers": {"a": "x"}}])
def test_what_is_no_section_is_not_handed_on(
    make_provider: MakeProvider, config: dict[str, Any]
) -> None:
    handed: list[Any] = []
    KernelFinder([make_provider("a", "x", load_config=handed.append)], config=config).get("a/x")

    assert handed == [None]
