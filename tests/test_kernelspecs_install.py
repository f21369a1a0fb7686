from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest

from kernel_mgmt.exceptions import KernelSpecError, NoSuchKernelError
from kernel_mgmt.kernelspecs import (
    KernelSpecFinder,
    install_kernel_spec,
    read_kernel_spec,
    remove_kernel_spec,
)


def make(folder: Path, display_name: str = "new") -> Path:
    folder.mkdir(parents=True)
    content = {"argv": ["prog"], "display_name": display_name, "language": "lang"}
    (folder / "kernel.json").write_text(json.dumps(content))
    (folder / "logo-64x64.png").write_bytes(b"png")
    return folder


def display_name(folder: str | Path) -> str:
    return read_kernel_spec(folder).display_name


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make(tmp_path / "source" / "MyKernel")


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's directory of kernelspecs, which is not there yet."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    return tmp_path / "data" / "kernels"


def test_a_kernelspec_is_installed_for_the_user(source: Path, kernels: Path) -> None:
    folder = install_kernel_spec(source, user=True)

    assert folder == str(kernels / "mykernel")
    assert sorted(os.listdir(folder)) == ["kernel.json", "logo-64x64.png"]
    assert os.listdir(kernels) == ["mykernel"]
    assert KernelSpecFinder().get("MyKernel").resource_dir == folder


def test_a_kernelspec_is_installed_under_a_prefix(
    source: Path, kernels: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = install_kernel_spec(source, "Other", prefix=tmp_path)

    assert folder == str(tmp_path / "share" / "jupyter" / "kernels" / "other")
    assert display_name(folder) == "new"
    assert "does not search" in caplog.text


def test_a_destination_that_is_searched_is_not_warned_of(
    source: Path, kernels: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install_kernel_spec(source, user=True)

    assert caplog.text == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no system directory of its own")
def test_a_kernelspec_is_installed_for_all_users_by_default(
    source: Path, kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "system"))

    folder = install_kernel_spec(source)

    assert folder == str(tmp_path / "system" / "jupyter" / "kernels" / "mykernel")


def test_a_user_and_a_prefix_exclude_each_other(source: Path, kernels: Path) -> None:
    with pytest.raises(ValueError, match="either"):
        install_kernel_spec(source, user=True, prefix=sys.prefix)


@pytest.mark.parametrize("name", ["", "has space", "../up", ".hidden", "a/b", "café"])
def test_a_name_that_jupyter_would_not_find_is_refused(
    source: Path, kernels: Path, name: str
) -> None:
    with pytest.raises(ValueError, match="cannot be called"):
        install_kernel_spec(source, name, user=True)

    assert not kernels.exists()


def test_a_source_that_is_no_kernelspec_is_refused(kernels: Path, tmp_path: Path) -> None:
    (tmp_path / "kernel.json").write_text("{}")

    with pytest.raises(KernelSpecError, match="argv is missing"):
        install_kernel_spec(tmp_path, "name", user=True)
    assert not kernels.exists()


def test_a_kernelspec_is_replaced_as_a_whole(source: Path, kernels: Path) -> None:
    old = make(kernels / "mykernel", "old")
    (old / "only-in-the-old-one").touch()

    folder = install_kernel_spec(source, user=True)

    assert display_name(folder) == "new"
    assert sorted(os.listdir(folder)) == ["kernel.json", "logo-64x64.png"]
    assert os.listdir(kernels) == ["mykernel"]


def test_a_kernelspec_is_kept_if_it_must_not_be_replaced(source: Path, kernels: Path) -> None:
    make(kernels / "mykernel", "old")

    with pytest.raises(FileExistsError, match="mykernel"):
        install_kernel_spec(source, user=True, replace=False)

    assert display_name(kernels / "mykernel") == "old"
    assert os.listdir(kernels) == ["mykernel"]


def test_a_kernelspec_can_be_installed_onto_itself(kernels: Path) -> None:
    folder = make(kernels / "mykernel", "same")

    install_kernel_spec(folder, user=True)

    assert display_name(folder) == "same"


def test_a_link_is_replaced_and_what_it_leads_to_is_kept(
    source: Path, kernels: Path, tmp_path: Path
) -> None:
    target = make(tmp_path / "elsewhere", "old")
    kernels.mkdir(parents=True)
    (kernels / "mykernel").symlink_to(target)

    folder = install_kernel_spec(source, user=True)

    assert not os.path.islink(folder)
    assert (display_name(folder), display_name(target)) == ("new", "old")


def test_an_installation_that_fails_leaves_the_one_before(source: Path, kernels: Path) -> None:
    make(kernels / "mykernel", "old")
    os.mkfifo(source / "cannot-be-copied")

    with pytest.raises(OSError, match="named pipe"):
        install_kernel_spec(source, user=True)

    assert display_name(kernels / "mykernel") == "old"
    assert os.listdir(kernels) == ["mykernel"]


def test_what_was_put_aside_comes_back_if_nothing_takes_its_place(tmp_path: Path) -> None:
    from kernel_mgmt.kernelspecs._install import _put_in_place  # pyright: ignore[reportPrivateUsage]

    old = make(tmp_path / "mykernel", "old")
    (tmp_path / "aside").mkdir()

    with pytest.raises(FileNotFoundError):
        _put_in_place(str(tmp_path / "no"), str(old), str(tmp_path / "aside"), replace=True)

    assert display_name(old) == "old"


def test_what_an_interrupted_installation_leaves_is_not_listed(source: Path, kernels: Path) -> None:
    make(kernels / ".mykernel-x1" / "mykernel")
    finder = KernelSpecFinder([kernels])

    assert finder.find() == []
    assert finder.problems == ()


def test_a_source_that_may_not_be_written_to_can_be_installed_and_replaced(
    source: Path, kernels: Path
) -> None:
    source.chmod(0o555)

    install_kernel_spec(source, user=True)
    folder = install_kernel_spec(source, user=True)

    assert os.stat(folder).st_mode & 0o777 == 0o755
    assert os.listdir(kernels) == ["mykernel"]


def test_several_may_install_at_once(source: Path, kernels: Path) -> None:
    failures: list[OSError] = []

    def install() -> None:
        for _ in range(10):
            try:
                install_kernel_spec(source, user=True)
            except OSError as error:
                failures.append(error)

    threads = [Thread(target=install) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert failures == []
    assert display_name(kernels / "mykernel") == "new"
    assert os.listdir(kernels) == ["mykernel"]


def test_without_permission_it_is_told_what_else_to_do() -> None:
    # Not below pytest's own directory, where nobody but its owner has access.
    with TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        source = make(Path(name, "source"))
        Path(name, "prefix").mkdir(mode=0o555)
        with _as_ordinary_user(), pytest.raises(PermissionError) as caught:
            install_kernel_spec(source, prefix=Path(name, "prefix"))

    assert "user=True" in caught.value.__notes__[0]


@contextmanager
def _as_ordinary_user() -> Generator[None]:
    user = os.geteuid()
    if user != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_kernelspec_is_removed_by_its_name(kernels: Path) -> None:
    make(kernels / "MyKernel")
    make(kernels / "other")

    removed = remove_kernel_spec("mykerneL")

    assert removed == str(kernels / "MyKernel")
    assert os.listdir(kernels) == ["other"]


def test_a_link_is_removed_and_what_it_leads_to_is_kept(kernels: Path, tmp_path: Path) -> None:
    target = make(tmp_path / "elsewhere")
    kernels.mkdir(parents=True)
    (kernels / "linked").symlink_to(target)

    remove_kernel_spec("linked")

    assert os.listdir(kernels) == []
    assert display_name(target) == "new"


def test_a_link_that_leads_nowhere_is_removed(kernels: Path) -> None:
    kernels.mkdir(parents=True)
    (kernels / "Linked").symlink_to(kernels / "nowhere")

    removed = remove_kernel_spec("linked")

    assert removed == str(kernels / "Linked")
    assert os.listdir(kernels) == []


def test_a_kernelspec_whose_file_leads_nowhere_is_removed(kernels: Path) -> None:
    (kernels / "linked").mkdir(parents=True)
    (kernels / "linked" / "kernel.json").symlink_to("nowhere")

    remove_kernel_spec("linked")

    assert os.listdir(kernels) == []


def test_a_folder_that_is_no_kernelspec_is_not_removed(kernels: Path) -> None:
    (kernels / "folder" / "kernel.json").mkdir(parents=True)

    with pytest.raises(KernelSpecError, match="not a regular file"):
        remove_kernel_spec("folder")
    assert os.listdir(kernels) == ["folder"]


def test_a_broken_kernelspec_can_be_removed(kernels: Path) -> None:
    (make(kernels / "broken") / "kernel.json").write_text("[")

    remove_kernel_spec("broken")

    assert os.listdir(kernels) == []


def test_the_one_that_has_precedence_is_removed(tmp_path: Path) -> None:
    make(tmp_path / "first" / "both")
    make(tmp_path / "second" / "both")

    remove_kernel_spec("both", search_path=[tmp_path / "first", tmp_path / "second"])

    assert os.listdir(tmp_path / "first") == []
    assert os.listdir(tmp_path / "second") == ["both"]


def test_what_is_not_there_cannot_be_removed(kernels: Path) -> None:
    with pytest.raises(NoSuchKernelError, match="nothing"):
        remove_kernel_spec("nothing")
