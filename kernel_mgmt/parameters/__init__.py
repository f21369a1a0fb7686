"""Launch parameters: check them against their JSON schema, and fill them in.

::

    values = validate("spec/cling", attributes.get("launch_parameters"), {"standard": "C++17"})
    argv = fill_argv(attributes["argv"], {**values, "connection_file": path})
"""

from __future__ import annotations

from ._json import as_json
from ._template import fill_argv, fill_env
from ._validate import insecure_parameters, validate

__all__ = ("as_json", "fill_argv", "fill_env", "insecure_parameters", "validate")
