"""``kernel-mgmt info``: all there is to know of one kernel type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from ._complete import KernelTypeName
from ._declared import as_mapping, constraints, in_words, type_in_words
from ._form import output_option
from ._listing import kernel_as_json, problem_as_json, shorten, tell_problems
from ._status import Status
from ._terminal import on_one_line, print_json

if TYPE_CHECKING:
    from ._explain import Explanation

__all__ = ("command",)

_CURVE_NOTE = "jupyter_client before 8.9 cannot connect"
_SIGNED_NOTES = {
    "ipc": "the sockets are this user's alone",
    "tcp": "messages are signed, and can be read by whoever can listen in",
}


@click.command("info")
@click.argument("kernel", type=KernelTypeName())
@output_option("text", "json")
def command(kernel: str, output: str) -> int:
    """Show all there is to know of a kernel type.

    KERNEL is its name, such as spec/python3, or python3 for short. Nothing is started. The problems
    of its provider are told on stderr.
    """
    from kernel_mgmt.discovery import KernelFinder

    from ._explain import explain

    explanation = explain(kernel, KernelFinder.from_entrypoints())
    if output == "json":
        told = _as_json(explanation)
        if told is None:
            return Status.RAISED
        print_json(told)
    else:
        for line in _lines(explanation):
            print(on_one_line(line))
    tell_problems(explanation.problems)
    return Status.OK


def _lines(told: Explanation) -> Iterator[str]:
    yield f"{told.name}: {told.attributes.get('display_name', '')}"
    yield ""
    for label, values in _facts(told):
        for index, value in enumerate(values):
            yield f"{'' if index else label:<13}{value}"


def _facts(told: Explanation) -> Iterator[tuple[str, list[str]]]:
    from shlex import join

    attributes = told.attributes
    yield "Language", [attributes.get("language") or "not told"]
    yield "Provider", [_provider(told)]
    yield "Listed", list(_why(told))
    yield "Command", [join(attributes.get("argv", [])) or "not told"]
    yield "Environment", [f"{key}={value}" for key, value in attributes.get("env", {}).items()]
    yield from _launch(told)
    yield "Protocol", [attributes.get("kernel_protocol_version") or "not told"]
    yield "Parameters", list(_parameters(told)) or ["none"]
    yield "From", [attributes["origin"]] if "origin" in attributes else []
    yield "Files", [shorten(attributes["resource_dir"])] if "resource_dir" in attributes else []
    yield "", [f"  {name}" for name in told.files]


def _provider(told: Explanation) -> str:
    report = told.report
    origin = " ".join(filter(None, (report.distribution, report.version)))
    return f"{report.id}: {report.class_name}" + (f" of {origin}" if origin else "")


def _why(told: Explanation) -> Iterator[str]:
    if not told.listed:
        yield "no; its provider knows it when it is asked for by name"
    elif told.position is None:
        yield "since its provider lists it"
    else:
        folder = shorten(told.search_path[told.position - 1])
        yield f"from {folder}, directory {told.position} of {len(told.search_path)} of the search path"
    for folder in told.hides:
        yield f"hides {shorten(folder)}"


def _launch(told: Explanation) -> Iterator[tuple[str, list[str]]]:
    if told.plan is None:
        yield "Launch", [told.objection or "not told"]
        yield "Interrupt", [told.attributes.get("interrupt_mode", "signal")]
        return
    plan = told.plan
    transport, encryption = plan.get("transport", "not told"), plan.get("encryption", "not told")
    handshake = ", on ports of the kernel's choice (JEP 66)" if plan.get("handshake") else ""
    yield "Transport", [f"{transport}{handshake}"]
    note = _CURVE_NOTE if encryption == "curve" else _SIGNED_NOTES.get(transport)
    yield "Encryption", [f"{encryption}; {note}" if note else encryption]
    mode = plan.get("interrupt_mode", "not told")
    yield "Interrupt", ["by nothing: end the kernel instead" if mode == "unsupported" else mode]


def _parameters(told: Explanation) -> Iterator[str]:
    width = max(map(len, told.parameters), default=0)
    for name, schema in told.parameters.items():
        words = in_words(schema, required=name in told.required)
        if name in told.insecure:
            words += "; any text, and so refused unless insecure parameters are allowed"
        description = as_mapping(schema).get("description")
        yield f"{name:<{width}}  {words}" + (f" ({description})" if description else "")
    if told.schema_fault is not None:
        yield f"unusable: {told.schema_fault}"


def _as_json(told: Explanation) -> dict[str, Any] | None:
    kernel = kernel_as_json(told.name, told.attributes)
    if kernel is None:
        return None
    report = told.report
    return {
        "kernel": told.name,
        **kernel,
        "listed": {
            "by": report.class_name,
            "distribution": report.distribution,
            "version": report.version,
            "is_listed": told.listed,
            "search_path": told.search_path,
            "position": told.position,
            "hides": told.hides,
        },
        "files": told.files,
        "logos": told.logos,
        "launch": None if told.plan is None else dict(told.plan),
        "launch_objection": told.objection,
        "parameters": [_parameter_as_json(told, *item) for item in told.parameters.items()],
        "parameters_fault": told.schema_fault,
        "problems": [problem_as_json(problem) for problem in told.problems],
    }


def _parameter_as_json(told: Explanation, name: str, schema: object) -> dict[str, Any]:
    known = as_mapping(schema)
    return {
        "name": name,
        "type": type_in_words(schema),
        "constraints": constraints(schema),
        "default": known.get("default"),
        "required": name in told.required,
        "insecure": name in told.insecure,
        "description": known.get("description"),
    }
