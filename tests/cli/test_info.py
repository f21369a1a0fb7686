"""The command ``kernel-mgmt info``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .conftest import Run
from .installed import install_provider, write_kernelspec

SCHEMA = {
    "properties": {
        "cores": {"type": "integer", "minimum": 1, "maximum": 8, "default": 2},
        "size": {"enum": ["s", "m"], "description": "how large"},
        "note": {"type": "string"},
    },
    "required": ["size"],
}


def facts(text: str) -> dict[str, list[str]]:
    """The lines of each label."""
    found: dict[str, list[str]] = {}
    label = ""
    for line in text.splitlines()[2:]:
        label = line[:13].strip() or label
        found.setdefault(label, []).append(line[13:])
    return found


def test_a_kernelspec_is_told_with_the_directory_it_is_from(run_here: Run) -> None:
    result = run_here("info", "python3")

    assert result.stdout.startswith("spec/python3: Python 3")
    told = facts(result.stdout)
    assert told["Language"] == ["python"]
    assert told["Provider"][0].startswith("spec: kernel_mgmt_spec.KernelSpecProvider of kernel-mg")
    assert "of the search path" in told["Listed"][0]
    assert told["Command"][0].endswith("-m ipykernel_launcher -f '{connection_file}'")
    assert told["Transport"] == ["ipc"]
    assert told["Encryption"] == ["none; the sockets are this user's alone"]
    assert "  kernel.json" in told["Files"]
    assert (result.returncode, result.stderr) == (0, "")


def test_what_is_hidden_and_what_a_kernelspec_asks_for_is_told(
    run_here: Run, tmp_path: Path
) -> None:
    write_kernelspec(tmp_path / "one", "mine", env={"A": "b"}, metadata={"parameters": SCHEMA})
    hidden = write_kernelspec(tmp_path / "two", "mine")
    path = f"{tmp_path / 'one'}:{tmp_path / 'two'}"

    told = facts(run_here("info", "spec/MINE", JUPYTER_PATH=path).stdout)

    assert told["Listed"][1] == f"hides {hidden}"
    assert told["Environment"] == ["A=b"]
    assert told["Parameters"] == [
        "cores  integer, at least 1, at most 8, default 2",
        'size   one of "s" | "m", required (how large)',
        "note   string; any text, and so refused unless insecure parameters are allowed",
    ]


def test_curve_comes_with_the_version_that_it_shuts_out(run_here: Run, tmp_path: Path) -> None:
    write_kernelspec(tmp_path, "mine", metadata={"supported_encryption": "curve"})

    told = facts(run_here("info", "mine", JUPYTER_PATH=str(tmp_path)).stdout)

    assert told["Transport"] == ["tcp"]
    assert told["Encryption"] == ["curve; jupyter_client before 8.9 cannot connect"]


def test_json_has_it_all_with_stable_keys(run_here: Run, tmp_path: Path) -> None:
    folder = write_kernelspec(tmp_path, "mine", metadata={"parameters": SCHEMA})
    (folder / "logo-64x64.png").touch()

    told: dict[str, Any] = json.loads(
        run_here("info", "mine", "-o", "json", JUPYTER_PATH=str(tmp_path)).stdout
    )

    assert (told["kernel"], told["provider"], told["name"]) == ("spec/mine", "spec", "mine")
    assert told["files"] == ["kernel.json", "logo-64x64.png"]
    assert told["logos"] == {"logo-64x64": str(folder / "logo-64x64.png")}
    assert told["launch"]["transport"] == "tcp"
    assert told["listed"]["position"] == 1
    assert told["listed"]["hides"] == []
    assert told["parameters"][1] == {
        "name": "size",
        "type": 'one of "s" | "m"',
        "constraints": [],
        "default": None,
        "required": True,
        "insecure": False,
        "description": "how large",
    }


def test_a_wrong_name_is_told_with_the_one_that_may_be_meant(run_here: Run) -> None:
    result = run_here("info", "pythn3")

    assert "did you mean 'spec/python3'?" in result.stderr
    assert (result.returncode, result.stdout) == (3, "")


def test_a_kernelspec_that_cannot_be_used_is_told_with_the_reason(
    run_here: Run, tmp_path: Path
) -> None:
    write_kernelspec(tmp_path, "mine", argv=[])

    result = run_here("info", "mine", JUPYTER_PATH=str(tmp_path))

    assert "argv is empty" in result.stderr
    assert result.returncode == 3


def test_a_launch_that_would_fail_and_a_schema_that_is_none_are_told(
    run_here: Run, tmp_path: Path
) -> None:
    metadata = {"kernel_mgmt": {"transport": "pigeon"}, "parameters": {"type": 5}}
    write_kernelspec(tmp_path, "mine", metadata=metadata)

    result = run_here("info", "mine", JUPYTER_PATH=str(tmp_path))

    told = facts(result.stdout)
    assert "'pigeon' for transport" in told["Launch"][0]
    assert told["Parameters"][0].startswith("unusable: the schema is no JSON schema")
    assert result.returncode == 0


def test_a_provider_that_tells_little_is_shown_for_what_it_tells(
    run_here: Run, tmp_path: Path
) -> None:
    env = install_provider(
        tmp_path / "site",
        """
        def find_kernels(self):
            yield "X", {}
            yield 5, {}
        """,
    )

    result = run_here("info", "oblong/x", **env)

    assert result.stdout.startswith("oblong/X: X\n")
    told = facts(result.stdout)
    assert told["Provider"] == ["oblong: oblong_kernels.Provider of oblong-kernels 1.5"]
    assert told["Launch"] == ["the provider 'oblong' does not tell"]
    assert told["Command"] == ["not told"]
    assert "find_kernels yields the name 5" in result.stderr
