"""What is known of kernels by their command lines."""

from __future__ import annotations

import pytest

from kernel_mgmt_subprocess._families import find_family


@pytest.mark.parametrize(
    ("name", "argv"),
    [
        ("ipykernel", ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]),
        ("ipykernel", ["python", "-Xfrozen_modules=off", "-m", "ipykernel", "-f", "f"]),
        ("ipykernel", ["python", "/lib/ipykernel_launcher.py", "-f", "{connection_file}"]),
        ("ipykernel", ["/bin/python", "-m", "bash_kernel", "-f", "{connection_file}"]),
        ("ipykernel", ["python", "-m", "octave_kernel", "-f", "{connection_file}"]),
        ("ipykernel", ["python3", "-m", "calysto_scheme", "-f", "{connection_file}"]),
        ("ipykernel", ["/bin/python", "-m", "xonsh_jupyter.kernel", "-f", "{connection_file}"]),
        ("IRkernel", ["/bin/R", "--slave", "-e", "IRkernel::main()", "--args", "f"]),
        ("xeus", ["python3.12", "-m", "xpython_launcher", "-f", "{connection_file}", "--raw"]),
        ("xeus", ["/opt/env/bin/xpython", "-f", "{connection_file}"]),
        ("xeus", ["/opt/env/bin/xcpp17", "-f", "{connection_file}", "-std=c++17"]),
        ("deno", ["/bin/deno", "jupyter", "--kernel", "--conn", "{connection_file}"]),
        ("deno", [r"C:\deno\deno.exe", "jupyter", "--kernel", "--conn", "{connection_file}"]),
        ("tslab", ["tslab", "kernel", "--config-path", "{connection_file}", "--js"]),
        ("ijavascript", ["/bin/node", "/lib/ijavascript/lib/kernel.js", "{connection_file}"]),
        ("unknown", ["python", "-c", "print('ipykernel')", "ipykernel_launcher"]),
        ("unknown", ["python", "-m", "my_ipykernel"]),
        ("unknown", ["python", "-m"]),
        ("unknown", ["deno", "run", "{connection_file}"]),
        ("unknown", ["node", "kernel.js"]),
    ],
)
def test_a_family_is_recognised_by_the_command(name: str, argv: list[str]) -> None:
    assert find_family(argv).name == name
