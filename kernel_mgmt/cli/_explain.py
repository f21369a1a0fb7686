"""Gather all that there is to be told of one kernel type."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.discovery._attributes import is_sequence_of_strings
from kernel_mgmt.exceptions import KernelManagementError, LaunchParameterError
from kernel_mgmt.kernelspecs import KernelSpecFinder, logos

from ._listing import describe, parameters_of
from ._terminal import progress

if TYPE_CHECKING:
    from kernel_mgmt.discovery import ProviderReport
    from kernel_mgmt.types import KernelAttributes, Problem

__all__ = ("Explanation", "explain")


@dataclass(frozen=True)
class Explanation:
    """What there is to be told of one kernel type.

    :ivar name: its full name, as its provider spells it
    :ivar listed: whether its provider lists it, or knows it only when asked
    :ivar report: what is known of its provider
    :ivar problems: those of the provider
    :ivar search_path: where kernelspecs are looked for
    :ivar position: where in the search path it is, from 1; ``None`` if it is nowhere there
    :ivar hides: the folders of other kernelspecs of its name
    :ivar plan: how it would be launched, as far as that is known
    :ivar objection: why it is not known how it would be launched, or a launch would fail
    :ivar insecure: the parameters that may be any text (JEP 87)
    :ivar schema_fault: what is wrong with the schema of the parameters
    """

    name: str
    attributes: KernelAttributes
    listed: bool
    report: ProviderReport
    problems: tuple[Problem, ...]
    search_path: tuple[str, ...]
    position: int | None
    hides: list[str]
    plan: Mapping[str, Any] | None
    objection: str | None
    insecure: tuple[str, ...]
    schema_fault: str | None

    @property
    def files(self) -> list[str]:
        """The files of the kernelspec, and of what is like one."""
        folder = self.attributes.get("resource_dir")
        try:
            return sorted(os.listdir(folder)) if folder else []
        except OSError:
            return []

    @property
    def logos(self) -> dict[str, str]:
        """The paths of the logos, by their names."""
        return logos(self.attributes.get("resource_dir") or os.devnull)

    @property
    def parameters(self) -> dict[str, Any]:
        """The schemas of the launch parameters, by their names."""
        return parameters_of(self.attributes)

    @property
    def required(self) -> list[str]:
        """The launch parameters that must be given."""
        required: object = self.attributes.get("launch_parameters", {}).get("required")
        return list(required) if is_sequence_of_strings(required) else []


def explain(name: str, finder: KernelFinder) -> Explanation:
    """Gather what there is to be told of a kernel type.

    :raises KernelManagementError: if it is not there, or cannot be used
    """
    provider_id, slash, kernel_name = name.partition("/")
    provider_id, kernel_name = (provider_id.lower(), kernel_name) if slash else ("spec", name)
    with progress(f"Asking the provider {provider_id}"):
        listed = [known for known, _ in finder.find_kernels(provider_id=provider_id)]
        attributes = finder.get(name)
    full_name = f"{provider_id}/{kernel_name}"
    spelled = next((known for known in listed if known.lower() == full_name.lower()), None)
    kernel_name = (spelled or full_name).partition("/")[2]
    plan, objection = _plan(finder, provider_id, kernel_name)
    insecure, schema_fault = _check_schema(full_name, attributes)
    search_path, position = _place(attributes)
    return Explanation(
        spelled or full_name,
        attributes,
        spelled is not None,
        next(report for report in finder.describe_providers() if report.id == provider_id),
        tuple(problem for problem in finder.problems if problem.provider == provider_id),
        search_path,
        position,
        _hidden(attributes, kernel_name) if position is not None else [],
        plan,
        objection,
        insecure,
        schema_fault,
    )


def _plan(
    finder: KernelFinder, provider_id: str, kernel_name: str
) -> tuple[Mapping[str, Any] | None, str | None]:
    plan_launch = getattr(finder.load_provider(provider_id), "plan_launch", None)
    if plan_launch is None:
        return None, f"the provider {provider_id!r} does not tell"
    try:
        return plan_launch(kernel_name), None
    except KernelManagementError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 - a provider's fault hides nothing else
        return None, f"plan_launch raised {describe(error)}"


def _check_schema(name: str, attributes: KernelAttributes) -> tuple[tuple[str, ...], str | None]:
    schema = attributes.get("launch_parameters")
    if schema is None:
        return (), None
    from kernel_mgmt.parameters import insecure_parameters

    try:
        return insecure_parameters(name, schema), None
    except LaunchParameterError as error:
        return (), "; ".join(error.violations)


def _place(attributes: KernelAttributes) -> tuple[tuple[str, ...], int | None]:
    search_path = KernelSpecFinder().search_path
    parent = os.path.dirname(attributes.get("resource_dir") or "")
    return search_path, search_path.index(parent) + 1 if parent in search_path else None


def _hidden(attributes: KernelAttributes, kernel_name: str) -> list[str]:
    own = attributes.get("resource_dir")
    return [folder for folder in KernelSpecFinder().locate_all(kernel_name) if folder != own]
