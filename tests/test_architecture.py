"""The arrows between the modules point one way, and the packages hold what they say."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kernel_mgmt

# Each layer may import those before it.
LAYERS = (
    {"exceptions", "types", "paths", "_backend", "_background", "_portal", "_version"},
    {"abc", "connection_files", "messages", "kernelspecs", "parameters", "records"},
    {"wire", "discovery"},
    {"transports"},
    {"client"},
    {"start"},
    {"restarter"},
    {"kernel", "pool"},
    {"classic"},
    {"testing"},
    {"cli", "jupyter"},
)
SHELVES = (
    "kernel_mgmt_gateway",
    "kernel_mgmt_subprocess",
    "kernel_mgmt_spec",
    "kernel_mgmt_pyimport",
)
PACKAGE = Path(kernel_mgmt.__file__).parent


def level(part: str) -> int:
    return next(index for index, layer in enumerate(LAYERS) if part in layer)


def files_of(package: str) -> list[Path]:
    module = importlib.import_module(package)
    assert module.__file__ is not None
    return sorted(Path(module.__file__).parent.rglob("*.py"))


def imports_of(path: Path, *, at_run_time: bool = True) -> Iterator[str]:
    """The modules that a file imports, by their absolute names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if at_run_time and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped.update(child for part in node.body for child in ast.walk(part))
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(path.parent.relative_to(PACKAGE.parent).parts) if node.level else []
            stem = [*base[: len(base) - node.level + 1], *(node.module or "").split(".")]
            module = ".".join(part for part in stem if part)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def part_of_file(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def files_of_part(part: str) -> list[Path]:
    return [path for path in files_of("kernel_mgmt") if part_of_file(path) == part]


def core_imports(*paths: Path) -> set[str]:
    """The parts of the core that some files import."""
    known = {name for layer in LAYERS for name in layer}
    modules = {tuple(module.split(".")) for path in paths for module in imports_of(path)}
    return {names[1] for names in modules if names[0] == "kernel_mgmt" and names[1:]} & known


# The package itself hands on the names of all its modules, lazily.
MODULES = [path for path in files_of("kernel_mgmt") if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_of_the_core_imports_only_what_stands_before_it(path: Path) -> None:
    part = part_of_file(path)
    imported = core_imports(path) - {part}

    assert {name for name in imported if level(name) > level(part)} == set()
    # Neighbours on one level may use each other in one direction.
    neighbours = {name for name in imported if level(name) == level(part)}
    assert {name for name in neighbours if part in core_imports(*files_of_part(name))} == set()


@pytest.mark.parametrize("path", files_of("kernel_mgmt"), ids=lambda path: path.stem)
def test_the_core_imports_nothing_from_the_shelves(path: Path) -> None:
    imported = {module.split(".")[0] for module in imports_of(path)}

    assert imported.isdisjoint(SHELVES)


def test_launchers_import_no_provider() -> None:
    imported = {
        module.split(".")[0]
        for path in files_of("kernel_mgmt_subprocess")
        for module in imports_of(path)
    }

    assert imported.isdisjoint({*SHELVES} - {"kernel_mgmt_subprocess"})


@pytest.mark.parametrize(
    "path",
    [path for path in files_of("kernel_mgmt") if part_of_file(path) != "jupyter"],
    ids=lambda path: path.stem,
)
def test_only_the_bridge_imports_jupyter_programs(path: Path) -> None:
    imported = {module.split(".")[0] for module in imports_of(path)}

    assert imported.isdisjoint({"jupyter_client", "jupyter_server", "jupyter_core", "traitlets"})


def test_every_shelf_folder_is_installed() -> None:
    checkout = Path(__file__).parent.parent
    folders = {
        path.name
        for shelf in ("providers", "launchers")
        for path in (checkout / shelf).iterdir()
        if path.is_dir() and path.name.startswith("kernel_mgmt_")
    }

    assert folders == set(SHELVES)
    for folder in folders:
        importlib.import_module(folder)


@pytest.mark.parametrize("name", ["kernel_mgmt", *SHELVES])
def test_each_package_is_typed(name: str) -> None:
    file = importlib.import_module(name).__file__

    assert file is not None
    assert (Path(file).parent / "py.typed").is_file()


@pytest.mark.parametrize(
    "name",
    [
        "kernel_mgmt",
        "kernel_mgmt.abc",
        "kernel_mgmt.classic",
        "kernel_mgmt.cli",
        "kernel_mgmt.client",
        "kernel_mgmt.discovery",
        "kernel_mgmt.exceptions",
        "kernel_mgmt.jupyter",
        "kernel_mgmt.kernel",
        "kernel_mgmt.records",
        "kernel_mgmt.restarter",
        "kernel_mgmt.start",
        *SHELVES,
    ],
)
def test_the_list_of_public_names_is_sorted_and_each_is_there(name: str) -> None:
    module = importlib.import_module(name)
    names: tuple[str, ...] = module.__all__

    assert list(names) == sorted(names)
    assert all(getattr(module, public) is not None for public in names)


def test_the_lazy_names_are_those_of_the_list() -> None:
    lazy = set(vars(kernel_mgmt)["_MODULE_OF"])

    assert lazy == set(kernel_mgmt.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = kernel_mgmt.nonsense


def test_importing_the_package_loads_nothing_heavy_and_starts_nothing() -> None:
    import subprocess

    code = (
        "import sys, threading; before = set(sys.modules); import kernel_mgmt;"
        "loaded = {n.split('.')[0] for n in set(sys.modules) - before};"
        "heavy = {'anyio', 'asyncio', 'zmq', 'trio', 'importlib_metadata', 'jsonschema', 'msgspec'};"
        "print(sorted(loaded & heavy), threading.active_count())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert result.stdout.strip() == "[] 1"
