"""Launch a kernel on a gateway, such that none is left when that fails or is cancelled."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import anyio

from kernel_mgmt.exceptions import DuplicateKernelError, LaunchOptionError

from ._catalogue import user_of
from ._errors import GatewayError, GatewayLaunchError, GatewayTimeoutError, GatewayUnreachableError
from ._requests import PASSING
from ._shielded import finish

if TYPE_CHECKING:
    from kernel_mgmt.types import JSONDict, LaunchOptions

    from ._gateway import Gateway
    from ._kernels import RemoteKernel
    from ._settings import GatewaySettings

__all__ = ("check_options", "environment_for", "launch_kernel")

log = logging.getLogger(__name__)

# How long a launch that is cancelled may take to be answered, and its kernel to be ended (seconds).
_FINISH_MOST = 10.0
_PAUSE = 0.1
# What is ours begins so, too: the id of the kernel that this program may run in, for one.
_OUR_PREFIX = "KERNEL_MGMT_"


def check_options(settings: GatewaySettings, options: LaunchOptions) -> None:
    """Refuse what no gateway can do.

    :raises LaunchOptionError: if something of that kind is asked for
    """
    if options.extra_arguments:
        raise LaunchOptionError("extra_arguments", "a gateway takes no arguments for its kernels")
    if options.limits is not None:
        raise LaunchOptionError("limits", "a gateway takes no limits for its kernels")
    if options.transport != "auto":
        raise LaunchOptionError("transport", "a kernel of a gateway is reached over a websocket")
    if options.encryption == "required" and not settings.is_encrypted:
        raise LaunchOptionError("encryption", f"the url of the gateway {settings.url} is not https")
    if options.encryption == "disabled" and settings.is_encrypted:
        raise LaunchOptionError("encryption", f"the url of the gateway {settings.url} is https")


def environment_for(
    settings: GatewaySettings,
    cwd: str | PathLike[str] | None,
    options: LaunchOptions,
    environ: Mapping[str, str],
) -> dict[str, str]:
    """Return the environment variables that a gateway is sent for a kernel.

    Those are the variables of this program that begin with ``KERNEL_`` or are allowed, and those of
    the options. What becomes of them is the gateway's to say.
    """
    env = {
        name: value
        for name, value in environ.items()
        if name in settings.allowed_envs
        or (name.startswith("KERNEL_") and not name.startswith(_OUR_PREFIX))
    }
    env.setdefault("KERNEL_LAUNCH_TIMEOUT", f"{settings.launch_timeout:.0f}")
    user = user_of(settings.user) or settings.http_user
    if user:
        env["KERNEL_USERNAME"] = user
    if cwd is not None:
        env["KERNEL_WORKING_DIR"] = os.path.abspath(cwd)
    return {**env, **options.env}


async def launch_kernel(
    gateway: Gateway,
    name: str,
    cwd: str | PathLike[str] | None,
    options: LaunchOptions,
) -> RemoteKernel:
    """Start a kernel, or start it again where it still is.

    :param name: the name of its kernelspec on the gateway
    :raises NoSuchKernelError: if the gateway has no such kernelspec
    :raises DuplicateKernelError: if there is a kernel of the id that is asked for
    :raises GatewayLaunchError: if the gateway has launched none
    """
    try:
        # A gateway answers the launch of what it does not have as if it had failed itself.
        await gateway.catalogue.get_one(name)
        kernel_id = _id_for(gateway, options)
        restarted = await _restart_in_place(gateway, kernel_id, options)
        if restarted is not None:
            return restarted
        env = environment_for(gateway.settings, cwd, options, os.environ)
        body = {"name": name, "env": {**env, "KERNEL_ID": kernel_id}, "kernel_id": kernel_id}
        return await _create_or_leave_nothing(gateway, body)
    except GatewayError as error:
        if error.status == 500:
            await _check_name(gateway, name)
        raise GatewayLaunchError(error) from error


async def _check_name(gateway: Gateway, name: str) -> None:
    """Look whether there is the kernelspec after all, now that its launch has failed."""
    try:
        await gateway.catalogue.get_one(name, anew=True)
    except GatewayError as error:
        log.debug("the gateway does not tell of its kernelspec %r: %s", name, error)


def _id_for(gateway: Gateway, options: LaunchOptions) -> str:
    """Return the id that the gateway is asked to give; it takes UUIDs only."""
    place = None if options.connection_info is None else options.connection_info.get("url")
    former = None if place is None else gateway.id_in(place)
    if former is not None:
        return former
    if options.kernel_id is None:
        return str(uuid4())
    try:
        return str(UUID(options.kernel_id))
    except ValueError:
        return str(uuid5(NAMESPACE_URL, options.kernel_id))


async def _restart_in_place(
    gateway: Gateway, kernel_id: str, options: LaunchOptions
) -> RemoteKernel | None:
    """Start a kernel again that is still there; a launch would only return that one."""
    if options.kernel_id is None and options.connection_info is None:
        return None
    if await gateway.kernel(kernel_id) is None:
        return None
    if not options.restart:
        raise DuplicateKernelError(options.kernel_id or kernel_id)
    return await gateway.restart(kernel_id)


async def _create_or_leave_nothing(gateway: Gateway, body: JSONDict) -> RemoteKernel:
    label, kernel_id = gateway.settings.label, body["kernel_id"]
    created: list[RemoteKernel] = []
    is_sent = False
    try:
        async with gateway.turns.turn():
            log.info("asking the gateway %s for the kernel %s", label, kernel_id)
            is_sent = True
            await finish(partial(_create, gateway, body, created), _FINISH_MOST)
    except BaseException as error:
        has_refused = isinstance(error, GatewayError) and error.status not in (None, *PASSING)
        if is_sent and not has_refused:
            await _discard(gateway, created[0].id if created else kernel_id)
        raise
    (kernel,) = created
    log.info("the gateway %s has the kernel %s (%s)", label, kernel.id, kernel.execution_state)
    return kernel


async def _create(gateway: Gateway, body: JSONDict, created: list[RemoteKernel]) -> None:
    """Have a kernel created; what is not answered is repeated where that cannot make a second one."""
    wanted = body["kernel_id"]
    retries = gateway.settings.request_retries
    for number in range(retries + 1):
        try:
            kernel: RemoteKernel | None = await gateway.create(body)
        except GatewayError as error:
            kernel = await _find_after(error, gateway, wanted)
            if kernel is None and (number == retries or not _may_repeat(error, gateway)):
                raise
        if kernel is not None:
            gateway.honours_ids = kernel.id == wanted
            created.append(kernel)
            return
        await anyio.sleep(_PAUSE * 2**number)


async def _find_after(error: GatewayError, gateway: Gateway, kernel_id: str) -> RemoteKernel | None:
    """Look whether there is a kernel though its launch was not answered."""
    if error.status in PASSING or isinstance(error, GatewayTimeoutError) or _was_sent(error):
        try:
            return await gateway.kernel(kernel_id)
        except GatewayError:
            return None
    return None


def _may_repeat(error: GatewayError, gateway: Gateway) -> bool:
    """Whether a launch that failed can be repeated, and cannot lead to a second kernel."""
    if isinstance(error, GatewayTimeoutError):
        return False
    if isinstance(error, GatewayUnreachableError) and not _was_sent(error):
        return True
    return gateway.honours_ids is True and (error.status in PASSING or _was_sent(error))


def _was_sent(error: GatewayError) -> bool:
    """Whether the gateway may have got a request that it has not answered."""
    import httpx2

    cause = error.__cause__
    return isinstance(cause, httpx2.TransportError) and not isinstance(
        cause, httpx2.ConnectError | httpx2.ConnectTimeout
    )


async def _discard(gateway: Gateway, kernel_id: str) -> None:
    """End a kernel that a launch may have left."""
    with anyio.move_on_after(_FINISH_MOST, shield=True):
        try:
            await gateway.delete(kernel_id)
        except GatewayError as error:
            log.warning("the kernel %s may be left on a gateway: %s", kernel_id, error)
