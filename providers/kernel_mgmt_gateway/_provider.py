"""A provider of the kernel types of Jupyter Servers and gateways."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, cast

from kernel_mgmt.abc import KernelProviderBase
from kernel_mgmt.exceptions import KernelLaunchError, LaunchParameterError, NoSuchKernelError
from kernel_mgmt.types import LaunchOptions, Problem

if TYPE_CHECKING:
    from kernel_mgmt.abc import FoundKernels
    from kernel_mgmt.records import KernelRecord
    from kernel_mgmt.types import ConnectionInfo, KernelAttributes, LaunchParams, LaunchPlan

    from ._errors import GatewayError
    from ._gateway import Gateway
    from ._kernel_types import KernelTypes
    from ._kernels import RemoteKernel
    from ._manager import GatewayKernelManager
    from ._settings import GatewaySettings

__all__ = ("GatewayKernelProvider",)


class GatewayKernelProvider(KernelProviderBase):
    """Finds and launches kernels on Jupyter Servers, Kernel Gateways and Enterprise Gateways.

    With one gateway they are named as its kernelspecs; with several, the id of the gateway stands
    before the name, with a dot between. Nothing is imported that talks to one before it is needed.

    :param settings: those of the gateways; by default the configuration tells, or else the
        environment variable ``JUPYTER_GATEWAY_URL`` and its relatives
    """

    id: ClassVar[str] = "gateway"

    def __init__(self, settings: Iterable[GatewaySettings] | None = None) -> None:
        self._settings = None if settings is None else tuple(settings)
        self._gateways: dict[str, Gateway] | None = None
        self._problems: tuple[Problem, ...] = ()

    def load_config(self, config: Mapping[str, Any] | None = None) -> None:
        """Take the settings of one gateway, or of several, each under ``gateways`` and its id.

        What stands beside ``gateways`` holds for each of them.

        :raises ValueError: if there is no such setting, or one has no such value
        """
        if self._settings is None:
            self._settings = tuple(_configured(config) if config else _of_environment())

    @property
    def settings(self) -> tuple[GatewaySettings, ...]:
        """Those of each gateway."""
        if self._settings is None:
            self._settings = tuple(_of_environment())
        return self._settings

    @property
    def problems(self) -> Sequence[Problem]:
        """The gateways that the last listing could not ask, and what is odd in others."""
        return self._problems

    def find_kernels(self) -> FoundKernels:
        """Yield the name and the attributes of each kernel type; all gateways are asked at once."""
        # Without a gateway there is no need for an event loop.
        return self._find() if self._known_gateways() else iter(())

    async def get_kernel(self, name: str) -> KernelAttributes:
        """Return the attributes of one kernel type, without a listing.

        :raises NoSuchKernelError: if there is none
        :raises GatewayError: if its gateway does not tell
        """
        gateway, kernelspec = self._resolve(name)
        attributes = await gateway.catalogue.get_one(kernelspec)
        return attributes.copy()

    async def get_resource(self, name: str, path: str) -> bytes | None:
        """Return a file of a kernel type, which is fetched from its gateway.

        :param path: one of those that stand in the attribute ``resources``
        :return: ``None`` if there is none
        """
        gateway, kernelspec = self._resolve(name)
        return await gateway.catalogue.get_resource(kernelspec, path)

    def refresh(self) -> None:
        """Ask each gateway when its kernel types are asked for next."""
        for gateway in self._known_gateways().values():
            gateway.catalogue.forget()

    async def launch(
        self,
        name: str,
        cwd: str | PathLike[str] | None = None,
        launch_params: LaunchParams | None = None,
        *,
        options: LaunchOptions | None = None,
    ) -> tuple[ConnectionInfo, GatewayKernelManager]:
        """Launch a kernel on its gateway, which may answer before the kernel runs.

        :raises NoSuchKernelError: if there is no such kernel type
        :raises LaunchOptionError: if an option is asked for that no gateway can take
        :raises DuplicateKernelError: if there is a kernel of the id that is asked for
        :raises GatewayLaunchError: if the gateway launches none
        """
        await _load_what_talks()
        from ._launch import check_options, launch_kernel
        from ._manager import GatewayKernelManager
        from ._record import make_record, put_record

        options = LaunchOptions() if options is None else options
        gateway, kernelspec = self._resolve(name)
        if launch_params:
            raise LaunchParameterError(name, ["a gateway takes no launch parameters"])
        check_options(gateway.settings, options)
        kernel = await launch_kernel(gateway, kernelspec, cwd, options)
        kernel_id = options.kernel_id or kernel.id
        record = make_record(gateway, kernel, kernel_id, f"{self.id}/{name}", cwd, options)
        put_record(record)
        manager = GatewayKernelManager(
            gateway, kernel, kernel_id=kernel_id, is_owned=not options.persist, record=record
        )
        return manager.connection_info, manager

    def plan_launch(self, name: str, options: LaunchOptions | None = None) -> LaunchPlan:
        """Tell how a launch with these options would go.

        :raises LaunchOptionError: if an option is asked for that no gateway can take
        """
        from ._launch import check_options

        gateway, _ = self._resolve(name)
        check_options(gateway.settings, LaunchOptions() if options is None else options)
        return {
            "transport": "websocket",
            "encryption": "tls" if gateway.settings.is_encrypted else "none",
            "interrupt_mode": "signal",
            "handshake": False,
        }

    async def attach(self, kernel_id: str, gateway_id: str = "") -> GatewayKernelManager:
        """Take hold of a kernel that runs on a gateway, whoever has started it.

        :param kernel_id: the id that the gateway knows it by
        :param gateway_id: which of several gateways
        :raises ReattachError: if no such kernel runs there
        :raises GatewayError: if the gateway does not tell
        """
        from kernel_mgmt.exceptions import ReattachError

        from ._manager import GatewayKernelManager

        await _load_what_talks()
        gateway = self.gateway(gateway_id)
        await gateway.requests.ssl_context()
        kernel = await gateway.kernel(kernel_id)
        if kernel is None:
            raise ReattachError(kernel_id, f"the gateway {gateway.settings.url} does not know it")
        return GatewayKernelManager(gateway, kernel)

    async def reattach(self, record: KernelRecord) -> GatewayKernelManager:
        """Take hold of a kernel that this provider launched in another process.

        :raises KernelDiedError: if it no longer runs
        :raises ReattachError: if its gateway is not configured
        :raises GatewayError: if the gateway does not tell
        """
        from kernel_mgmt.exceptions import KernelDiedError

        from ._manager import GatewayKernelManager
        from ._record import find_gateway, remove_record

        await _load_what_talks()
        gateway, remote_id = find_gateway(record, self._known_gateways())
        await gateway.requests.ssl_context()
        kernel = await gateway.kernel(remote_id)
        if kernel is None:
            remove_record(record.kernel_id)
            raise KernelDiedError
        return GatewayKernelManager(gateway, kernel, kernel_id=record.kernel_id, record=record)

    async def list_running(self, gateway_id: str = "") -> list[RemoteKernel]:
        """List the kernels that run on a gateway, whoever has started them.

        :param gateway_id: which of several gateways
        :raises GatewayCredentialsError: if the gateway does not tell, as Kernel Gateway and
            Enterprise Gateway do not, unless they are started with ``list_kernels=True``
        :raises GatewayError: if it fails
        """
        return await self.gateway(gateway_id).kernels()

    def gateway(self, gateway_id: str = "") -> Gateway:
        """Return a gateway, for what it can do besides.

        :param gateway_id: which of several gateways
        :raises ValueError: if there is no such gateway
        """
        gateways = self._known_gateways()
        if len(gateways) == 1 and not gateway_id:
            return next(iter(gateways.values()))
        if gateway_id not in gateways:
            known = ", ".join(gateways) or "none is configured"
            raise ValueError(f"there is no gateway {gateway_id!r} (known gateways: {known})")
        return gateways[gateway_id]

    async def _find(self) -> AsyncIterator[tuple[str, KernelAttributes]]:
        from anyio import create_task_group

        gateways = self._known_gateways()
        answers: dict[str, KernelTypes | GatewayError] = {}
        async with create_task_group() as tasks:
            for gateway_id, gateway in gateways.items():
                tasks.start_soon(_ask, gateway, gateway_id, answers)
        self._problems = tuple(_problems(self.id, gateways, answers))
        for gateway_id in gateways:
            for name, attributes in _told(answers[gateway_id]):
                yield self._name(gateway_id, name), attributes.copy()

    def _known_gateways(self) -> dict[str, Gateway]:
        if self._gateways is None:
            if not self.settings:
                return {}
            from ._gateway import Gateway

            self._gateways = {each.id: Gateway(each) for each in self.settings}
        return self._gateways

    def _name(self, gateway_id: str, kernelspec: str) -> str:
        return kernelspec if len(self._known_gateways()) == 1 else f"{gateway_id}.{kernelspec}"

    def _resolve(self, name: str) -> tuple[Gateway, str]:
        gateways = self._known_gateways()
        first, dot, rest = name.partition(".")
        if first and dot and first.lower() in gateways:
            return gateways[first.lower()], rest
        if len(gateways) == 1:
            return next(iter(gateways.values())), name
        if not gateways:
            reason = "no gateway is configured; set JUPYTER_GATEWAY_URL, or url in kernel_mgmt.toml"
            raise NoSuchKernelError(name, reason=reason)
        raise NoSuchKernelError(name)


async def _load_what_talks() -> None:
    """Load what a launch needs, in a thread, since the event loop would wait for it."""
    if "kernel_mgmt_gateway._transport" not in sys.modules:
        from anyio import to_thread

        try:
            await to_thread.run_sync(import_module, "kernel_mgmt_gateway._transport")
        except ImportError as error:
            raise KernelLaunchError(str(error)) from error


def _configured(config: Mapping[str, Any]) -> Iterator[GatewaySettings]:
    from ._settings import GatewaySettings

    common = {key: value for key, value in config.items() if key != "gateways"}
    several: object = config.get("gateways")
    if several is None:
        yield GatewaySettings.from_mapping(common)
        return
    if not isinstance(several, Mapping):
        raise ValueError("gateways should be a table of tables, each of the settings of one")
    for gateway_id, values in cast("Mapping[str, object]", several).items():
        if not isinstance(values, Mapping) or not gateway_id:
            raise ValueError(f"the gateway {gateway_id!r} should be a table of settings")
        own = cast("Mapping[str, Any]", values)
        yield GatewaySettings.from_mapping({**common, **own}, gateway_id)


def _of_environment() -> Iterator[GatewaySettings]:
    if os.environ.get("JUPYTER_GATEWAY_URL"):
        from ._environment import settings_from_environment

        settings = settings_from_environment(os.environ)
        if settings is not None:
            yield settings


async def _ask(
    gateway: Gateway, gateway_id: str, answers: dict[str, KernelTypes | GatewayError]
) -> None:
    from ._errors import GatewayError

    try:
        answers[gateway_id] = await gateway.catalogue.get()
    except GatewayError as error:
        answers[gateway_id] = error


def _told(answer: KernelTypes | GatewayError) -> Iterator[tuple[str, KernelAttributes]]:
    from ._kernel_types import KernelTypes

    if isinstance(answer, KernelTypes):
        yield from answer.attributes.items()


def _problems(
    provider: str,
    gateways: Mapping[str, Gateway],
    answers: Mapping[str, KernelTypes | GatewayError],
) -> Iterator[Problem]:
    from ._kernel_types import KernelTypes

    for gateway_id, answer in answers.items():
        if isinstance(answer, KernelTypes):
            for name in answer.odd:
                reason = (
                    f"the gateway {gateways[gateway_id].settings.url} tells what is no kernelspec"
                )
                yield Problem(provider, reason, name=name)
        else:
            yield Problem(provider, str(answer), exception=answer)
