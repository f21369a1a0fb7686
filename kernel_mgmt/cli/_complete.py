"""Arguments that name a kernel type or a running kernel, which a shell can complete."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

__all__ = ("KernelTypeName", "RunningKernelName")


class KernelTypeName(click.ParamType[str]):
    """The name of a kernel type, such as ``spec/python3``."""

    name = "kernel"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from kernel_mgmt.discovery import KernelFinder

        # The name of a kernelspec is enough, and what people begin to type.
        names = [name for name, _ in KernelFinder.from_entrypoints().find_kernels()]
        names += [name.removeprefix("spec/") for name in names if name.startswith("spec/")]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class RunningKernelName(click.ParamType[str]):
    """The name or the id of a running kernel, or the beginning of its id."""

    name = "kernel"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from kernel_mgmt.records import find_records, is_stale

        records = [record for record in find_records().records if not is_stale(record)]
        known = [name for record in records for name in (record.name, record.kernel_id) if name]
        return [CompletionItem(name) for name in known if name.startswith(incomplete)]
