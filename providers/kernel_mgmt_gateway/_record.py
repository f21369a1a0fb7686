"""The record of a kernel that runs on a gateway, by which other programs find it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from os import PathLike, fspath, unlink
from typing import TYPE_CHECKING

from kernel_mgmt.exceptions import ReattachError
from kernel_mgmt.paths import make_runtime_dir
from kernel_mgmt.records import (
    KernelRecord,
    LaunchDetails,
    ProcessIdentity,
    record_path,
    write_record,
)

if TYPE_CHECKING:
    from kernel_mgmt.types import LaunchOptions

    from ._gateway import Gateway
    from ._kernels import RemoteKernel

__all__ = ("find_gateway", "make_record", "put_record", "remove_record")

log = logging.getLogger(__name__)


def make_record(
    gateway: Gateway,
    kernel: RemoteKernel,
    kernel_id: str,
    kernel_type: str,
    cwd: str | PathLike[str] | None,
    options: LaunchOptions,
) -> KernelRecord:
    """Describe a kernel, without the credentials of its gateway.

    :param kernel_id: the id of the kernel for this program
    :param kernel_type: the full name of its type
    """
    return KernelRecord(
        kernel_id,
        ProcessIdentity(0, None),
        "",
        kernel_type=kernel_type,
        name=options.name,
        launcher="kernel_mgmt_gateway.GatewayKernelProvider",
        cwd=None if cwd is None else fspath(cwd),
        persist=options.persist,
        launch=LaunchDetails(env=dict(options.env)),
        remote={"url": gateway.settings.url, "id": kernel.id},
    )


def put_record(record: KernelRecord) -> None:
    """Write a record; a kernel whose record cannot be written is only harder to find."""
    try:
        make_runtime_dir()
        write_record(record)
    except OSError as error:
        log.warning("the kernel %s has no record: %s", record.kernel_id, error)


def remove_record(kernel_id: str) -> None:
    """Remove the record of a kernel that has ended, if it is there."""
    with suppress(OSError):
        unlink(record_path(kernel_id))


def find_gateway(record: KernelRecord, gateways: Mapping[str, Gateway]) -> tuple[Gateway, str]:
    """Return the gateway of a kernel, and the id of the kernel there.

    A record cannot lead the credentials of one gateway to another.

    :raises ReattachError: if that gateway is not configured
    """
    remote = record.remote or {}
    for gateway in gateways.values():
        if gateway.settings.url == remote.get("url") and "id" in remote:
            return gateway, remote["id"]
    reason = f"its gateway {remote.get('url')!r} is not among those that are configured"
    raise ReattachError(record.kernel_id, reason)
