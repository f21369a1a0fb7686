"""Check launch parameters against their JSON schema."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kernel_mgmt.exceptions import LaunchParameterError

from ._json import is_dict, is_mapping, plain_json
from ._schema import add_defaults, open_to_any_text

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

    from kernel_mgmt.types import LaunchParams

_LONGEST_MESSAGE = 500
_INSECURE = "it can be or hold any text, which is insecure (JEP 87) and was not allowed"


def validate(
    name: str,
    schema: Mapping[str, Any] | None,
    launch_params: LaunchParams | None = None,
    *,
    allow_insecure: bool = False,
) -> dict[str, Any]:
    """Check launch parameters, and return them with the defaults put in.

    Parameters that the schema does not name are taken as far as its ``additionalProperties`` goes,
    where nothing said means that they are taken; but then they can be any text, and see below. A
    kernel type without a schema takes any parameters.

    A parameter that can be any text is insecure (JEP 87): only its default is used, and one that
    has none is refused. The schema is one of draft 2020-12 unless its ``$schema`` says another.
    Nothing is ever fetched for it.

    :param name: the name of the kernel type, for the error
    :param schema: the attribute ``launch_parameters`` of the kernel type, if it has it
    :param allow_insecure: take insecure parameters from the caller
    :raises LaunchParameterError: if the parameters do not fit, with everything that is wrong, or
        if the schema itself is no JSON schema
    """
    params: object = {} if launch_params is None else launch_params
    if not is_mapping(params):
        raise LaunchParameterError(name, [f"{_shorten(repr(params))} is no JSON object"])
    if schema is None:
        return dict(params)
    given = _plain_dict(name, params, "")
    with _faults_of_the_schema(name):
        root, validator = _load(name, schema)
        values = _plain_dict(name, given, "")
        add_defaults(values, root, root)
        insecure = () if allow_insecure else _insecure_violations(validator, root, given, values)
        errors = sorted(validator.iter_errors(values), key=lambda error: _where(error.path))
        violations = [*insecure, *(_violation(error, root, given) for error in errors)]
    if violations:
        raise LaunchParameterError(name, dict.fromkeys(violations))
    return values


def insecure_parameters(name: str, schema: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the parameters of a schema that can be any text (JEP 87).

    :param name: the name of the kernel type, for the error
    :raises LaunchParameterError: if the schema is no JSON schema
    """
    if schema is None:
        return ()
    with _faults_of_the_schema(name):
        root, validator = _load(name, schema)
        return tuple(_insecure(validator, root, root.get("properties", {})))


def _load(name: str, schema: Mapping[str, Any]) -> tuple[dict[str, Any], Validator]:
    from jsonschema.exceptions import SchemaError
    from referencing import Registry

    root = _plain_dict(name, schema, "the schema")
    validator_class = _validator_class(name, root)
    try:
        validator_class.check_schema(root)
    except SchemaError as error:
        place = _where(error.path) or "its top"
        reason = f"the schema is no JSON schema: at {place}, {_shorten(error.message)}"
        raise LaunchParameterError(name, [reason]) from error
    # A registry of one's own holds nothing; that of jsonschema would fetch what it does not hold.
    return root, validator_class(root, registry=Registry())


def _validator_class(name: str, root: dict[str, Any]) -> type[Validator]:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    if "$schema" not in root:
        return Draft202012Validator
    dialect = root["$schema"]
    if isinstance(dialect, str):
        found: type[Validator] = validator_for(root, default=Draft202012Validator)
        if dialect.rstrip("#") == found.META_SCHEMA["$schema"].rstrip("#"):
            return found
    raise LaunchParameterError(name, [f"the schema is of the unknown dialect {dialect!r}"])


def _insecure(validator: Validator, root: dict[str, Any], names: Any) -> Iterator[str]:
    return (name for name in names if open_to_any_text(validator, root, name))


def _insecure_violations(
    validator: Validator, root: dict[str, Any], given: dict[str, Any], values: dict[str, Any]
) -> Iterator[str]:
    declared = root.get("properties", {})
    for name in _insecure(validator, root, {**given, **declared}):
        if name in given:
            known = "" if name in declared else f" (declared are: {', '.join(declared) or 'none'})"
            yield f"{name}: {_shorten(repr(given[name]))} is refused{known}: {_INSECURE}"
        elif name not in values:
            yield f"{name}: there is no default to use, and {_INSECURE}"


def _violation(error: ValidationError, root: dict[str, Any], given: dict[str, Any]) -> str:
    declared: dict[str, Any] = root.get("properties", {})
    where = _where(error.path)
    message = error.message
    if error.validator == "const":
        message = f"{error.instance!r} is not {error.validator_value!r}"
    elif error.context:
        alternatives = dict.fromkeys(inner.message for inner in error.context)
        message += f" ({' and '.join(alternatives)})"
    elif error.validator == "additionalProperties" and not where:
        message += f"; declared are: {', '.join(declared) or 'none'}"
    if error.path and error.path[0] not in given:
        message += " (this is its default)"
    return f"{where}: {_shorten(message)}" if where else _shorten(message)


def _where(path: Any) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"


@contextmanager
def _faults_of_the_schema(name: str) -> Generator[None]:
    from referencing.exceptions import Unresolvable

    try:
        yield
    except LaunchParameterError:
        raise
    except Unresolvable as error:
        reason = f"the schema refers to {error.ref!r}, which is not in it; nothing is fetched"
        raise LaunchParameterError(name, [reason]) from error
    # The schema is a stranger's, and what it can do to jsonschema (a circle, an address that is
    # none) has no common type.
    except Exception as error:
        reason = f"the schema cannot be used: {type(error).__name__}: {_shorten(str(error))}"
        raise LaunchParameterError(name, [reason]) from error


def _plain_dict(name: str, value: object, where: str) -> dict[str, Any]:
    """Copy a JSON object into dicts and lists of its own.

    :raises LaunchParameterError: if it is none
    """
    wrong: list[str] = []
    try:
        plain: object = plain_json(value, where, wrong)
    except RecursionError:
        wrong = [f"{where or 'the parameters'} are nested too deeply"]
        raise LaunchParameterError(name, wrong) from None
    if is_dict(plain) and not wrong:
        return plain
    raise LaunchParameterError(
        name, map(_shorten, wrong or [f"{where}: {value!r} is no JSON object"])
    )
