"""Providers, launchers and managers that each break one promise, with their suites.

``test_suites.py`` runs them in a process of their own, where each must fail, but for the last one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest
from anyio.lowlevel import checkpoint

from kernel_mgmt.abc import KernelManagerABC, KernelProviderBase
from kernel_mgmt.exceptions import NoSuchKernelError
from kernel_mgmt.testing import LauncherSuite, ManagerSuite, ProviderSuite, fake_kernel_argv
from kernel_mgmt.types import ConnectionInfo, ExitStatus, LaunchOptions
from kernel_mgmt_subprocess import KernelManager, SubprocessKernelLauncher

# Providers


class GoodProvider(KernelProviderBase):
    id = "good"
    argv: ClassVar[Sequence[str]] = fake_kernel_argv()

    @classmethod
    def make(cls) -> GoodProvider:
        return cls()

    def find_kernels(self) -> Iterator[tuple[str, Any]]:
        yield "kernel", {"display_name": "Good", "language": "any"}

    async def launch(
        self,
        name: str,
        cwd: Any = None,
        launch_params: Any = None,
        *,
        options: LaunchOptions | None = None,
    ) -> tuple[ConnectionInfo, KernelManagerABC | None]:
        if name != "kernel":
            raise NoSuchKernelError(name, ["kernel"])
        return await SubprocessKernelLauncher(self.argv, cwd, options=options).launch()


class InvalidId(GoodProvider):
    id = "Oblong/1"


class NeedsArguments(GoodProvider):
    def __init__(self, *arguments: str) -> None:
        (self.argument,) = arguments

    @classmethod
    def make(cls) -> NeedsArguments:
        return cls("argument")


class NeedsConfiguration(GoodProvider):
    def load_config(self, config: Any = None) -> None:
        config["needed"]


class ListsNothing(GoodProvider):
    def find_kernels(self) -> Iterator[tuple[str, Any]]:
        yield from ()


class ListsNamesAlone(GoodProvider):
    def find_kernels(self) -> Any:
        yield from super().find_kernels()
        yield "kernel"


class ListsOnce(GoodProvider):
    def __init__(self) -> None:
        self.kernels = super().find_kernels()

    def find_kernels(self) -> Iterator[tuple[str, Any]]:
        return self.kernels


class ListsObjects(GoodProvider):
    def find_kernels(self) -> Iterator[tuple[str, Any]]:
        yield "kernel", {"metadata": {"path": Path()}}


class TellsOtherAttributes(GoodProvider):
    def get_kernel(self, name: str) -> Any:
        if name != "kernel":
            raise NoSuchKernelError(name)
        return {"display_name": "Other"}


class HasEveryKernel(GoodProvider):
    def get_kernel(self, name: str) -> Any:
        return {"display_name": name}

    async def launch(
        self, name: str, cwd: Any = None, launch_params: Any = None, *, options: Any = None
    ) -> Any:
        return await super().launch("kernel", cwd, launch_params, options=options)


class RaisesKeyError(GoodProvider):
    async def launch(
        self, name: str, cwd: Any = None, launch_params: Any = None, *, options: Any = None
    ) -> Any:
        raise KeyError(name)


class LaunchesTheDead(GoodProvider):
    argv = fake_kernel_argv("--exit-at-start", "1")


class TakesNoDirectory(GoodProvider):
    async def launch(
        self, name: str, cwd: Any = None, launch_params: Any = None, *, options: Any = None
    ) -> Any:
        assert cwd is None
        return await super().launch(name, None, launch_params, options=options)


class ForgetsTheOptions(GoodProvider):
    async def launch(
        self, name: str, cwd: Any = None, launch_params: Any = None, *, options: Any = None
    ) -> Any:
        return await super().launch(name, cwd, launch_params)


class LeavesACancelledLaunch(GoodProvider):
    async def launch(
        self, name: str, cwd: Any = None, launch_params: Any = None, *, options: Any = None
    ) -> Any:
        launched = await super().launch(name, cwd, launch_params, options=options)
        await checkpoint()
        return launched


class LeavesAProcess(GoodProvider):
    def find_kernels(self) -> Iterator[tuple[str, Any]]:
        os.posix_spawn("/bin/sleep", ["sleep", "60"], os.environ)
        return super().find_kernels()


class AllHaveOneId(GoodProvider):
    async def launch(
        self, name: str, cwd: Any = None, launch_params: Any = None, *, options: Any = None
    ) -> Any:
        connection_info, manager = await super().launch(name, cwd, launch_params)
        assert manager is not None
        manager.kernel_id = "1"
        return connection_info, manager


class ForgetsTheConnectionInfo(GoodProvider):
    async def launch(
        self, name: str, cwd: Any = None, launch_params: Any = None, *, options: Any = None
    ) -> Any:
        connection_info, manager = await super().launch(name, cwd, launch_params)
        assert manager is not None
        manager.connection_info = {"transport": "tcp"}
        return connection_info, manager


# Launchers


class RaisesAnything(SubprocessKernelLauncher):
    async def launch(self) -> tuple[ConnectionInfo, KernelManager]:
        try:
            return await super().launch()
        except Exception as error:
            raise OSError from error


class LeavesAFileOfAFailedLaunch(SubprocessKernelLauncher):
    async def launch(self) -> tuple[ConnectionInfo, KernelManager]:
        try:
            return await super().launch()
        except Exception:
            Path(self.runtime_dir, "left").touch()
            raise


class LaunchesAnother(SubprocessKernelLauncher):
    def make_connection_file(self) -> tuple[str, ConnectionInfo]:
        path, connection_info = super().make_connection_file()
        return path, {**connection_info, "key": "another"}


class HidesTheId(SubprocessKernelLauncher):
    def build_popen_kwargs(self, connection_file: str) -> dict[str, Any]:
        kwargs = super().build_popen_kwargs(connection_file)
        kwargs["env"]["KERNEL_MGMT_KERNEL_ID"] = ""
        return kwargs


class ReturnsAnotherConnectionInfo(SubprocessKernelLauncher):
    async def launch(self) -> tuple[ConnectionInfo, KernelManager]:
        connection_info, manager = await super().launch()
        return {**connection_info, "key": "another"}, manager


class CancelledLauncher(SubprocessKernelLauncher):
    async def launch(self) -> tuple[ConnectionInfo, KernelManager]:
        launched = await super().launch()
        await checkpoint()
        return launched


class KeepsTheChildren(SubprocessKernelLauncher):
    def build_popen_kwargs(self, connection_file: str) -> dict[str, Any]:
        kwargs = super().build_popen_kwargs(connection_file)
        kwargs["env"]["KERNEL_MGMT_KERNEL_ID"] = ""
        return kwargs | {"start_new_session": False}


class TellsNoExitCode(SubprocessKernelLauncher):
    async def launch(self) -> Any:
        connection_info, manager = await super().launch()
        return connection_info, TellsNoEnd(manager)


# Managers


class GoodManager(KernelManagerABC):
    """Does what another manager does."""

    argv: ClassVar[Sequence[str]] = fake_kernel_argv()

    def __init__(self, manager: KernelManager) -> None:
        self.manager = manager
        self.kernel_id = manager.kernel_id
        self.connection_info = manager.connection_info

    async def is_alive(self) -> bool:
        return await self.manager.is_alive()

    async def wait(self) -> bool:
        return await self.manager.wait()

    async def signal(self, signum: int) -> None:
        await self.manager.signal(signum)

    async def interrupt(self) -> None:
        await self.manager.interrupt()

    async def kill(self) -> None:
        await self.manager.kill()

    async def cleanup(self) -> None:
        await self.manager.cleanup()

    @property
    def exit_status(self) -> ExitStatus | None:
        return self.manager.exit_status


class TellsNoEnd(GoodManager):
    @property
    def exit_status(self) -> ExitStatus | None:
        return None


class HasNoId(GoodManager):
    def __init__(self, manager: KernelManager) -> None:
        super().__init__(manager)
        self.kernel_id = ""


class InterruptsInAnotherWay(GoodManager):
    interrupt_mode = "sigint"


class NeverAnswers(GoodManager):
    argv = fake_kernel_argv("--mute", "execute_request")


class IsNeverAlive(GoodManager):
    async def is_alive(self) -> bool:
        return False


class IsAlwaysAlive(GoodManager):
    async def is_alive(self) -> bool:
        return True


class TellsAnEndFromTheBeginning(GoodManager):
    @property
    def exit_status(self) -> ExitStatus | None:
        return ExitStatus(0)


class IgnoresSignals(GoodManager):
    async def signal(self, signum: int) -> None: ...


class WaitsForNothing(GoodManager):
    async def wait(self) -> bool:
        return False


class WaitsAndReturnsTrue(GoodManager):
    async def wait(self) -> bool:
        await super().wait()
        return True


class KillsInTurn(GoodManager):
    killing = False

    async def kill(self) -> None:
        assert not self.killing
        self.killing = True
        await super().kill()
        await checkpoint()
        self.killing = False


class CannotSignalTheDead(GoodManager):
    async def signal(self, signum: int) -> None:
        if not await self.is_alive():
            raise ProcessLookupError


class CleansUpInTurn(GoodManager):
    cleaning_up = False

    async def cleanup(self) -> None:
        assert not self.cleaning_up
        self.cleaning_up = True
        await super().cleanup()
        await checkpoint()
        self.cleaning_up = False


class ForgetsItsExitStatus(GoodManager):
    told = False

    @property
    def exit_status(self) -> ExitStatus | None:
        self.told = not self.told
        return self.manager.exit_status if self.told else None


class IsReadyOnce(GoodManager):
    ready = False

    async def kernel_ready(self) -> None:
        assert not self.ready
        self.ready = True


class InterruptKills(GoodManager):
    async def interrupt(self) -> None:
        await self.kill()


class IsBoundToALoop(GoodManager):
    def __init__(self, manager: KernelManager) -> None:
        super().__init__(manager)
        self.end = anyio.Event()

    async def wait(self) -> bool:
        with anyio.move_on_after(0.02):
            await self.end.wait()
        return await super().wait()


class LeavesAFile(GoodManager):
    async def cleanup(self) -> None: ...


# Suites


class Impatient:
    seconds: ClassVar[float] = 1.0
    patience: ClassVar[float] = 0.1
    code: ClassVar[str] = "print hello"
    long_code: ClassVar[str] = "print begun\nsleep 60"


class BrokenProviderSuite(Impatient, ProviderSuite):
    broken: ClassVar[type[GoodProvider]]

    @pytest.fixture
    def provider(self) -> KernelProviderBase:
        return self.broken.make()


class BrokenLauncherSuite(Impatient, LauncherSuite):
    broken: ClassVar[type[SubprocessKernelLauncher]]

    @pytest.fixture
    def make_launcher(self) -> type[SubprocessKernelLauncher]:
        return self.broken


class BrokenManagerSuite(Impatient, ManagerSuite):
    broken: ClassVar[type[GoodManager]]

    @pytest.fixture
    async def manager(self) -> KernelManagerABC:
        _, manager = await SubprocessKernelLauncher(self.broken.argv).launch()
        return self.broken(manager)


for good, suite in (
    (GoodProvider, BrokenProviderSuite),
    (SubprocessKernelLauncher, BrokenLauncherSuite),
    (GoodManager, BrokenManagerSuite),
):
    for broken in good.__subclasses__():
        globals()[f"Test{broken.__name__}"] = type(broken.__name__, (suite,), {"broken": broken})


class TestSoundLauncher(LauncherSuite):
    @pytest.fixture
    def make_launcher(self) -> type[SubprocessKernelLauncher]:
        return SubprocessKernelLauncher
