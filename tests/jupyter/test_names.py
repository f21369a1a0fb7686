"""The names under which Jupyter's programs know the kernel types."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from kernel_mgmt.jupyter._names import jupyter_names

KERNEL_TYPES = st.lists(
    st.builds("{}/{}".format, st.sampled_from(["env", "gateway", "a.b"]), st.text(min_size=1)),
    unique=True,
)


def test_those_of_spec_keep_their_names() -> None:
    assert jupyter_names(["spec/python3"]) == {"python3": "spec/python3"}


def test_others_bear_the_name_of_their_provider() -> None:
    names = jupyter_names(["env/My Project", "gateway/a/b"])

    assert names == {"env.my-project": "env/My Project", "gateway.a-b": "gateway/a/b"}


def test_a_name_that_is_taken_gets_a_number() -> None:
    names = jupyter_names(["spec/env.x", "env/x", "env/x!"])

    assert names == {"env.x": "spec/env.x", "env.x-2": "env/x", "env.x-3": "env/x!"}


def test_a_kernel_type_keeps_the_name_that_it_has() -> None:
    held = {"env.x": "env/x!", "python3": "env/y", "gone": "env/gone"}

    names = jupyter_names(["spec/python3", "env/x", "env/x!", "env/y"], held)

    assert names == {
        "python3": "spec/python3",
        "env.x-2": "env/x",
        "env.x": "env/x!",
        "env.y": "env/y",
    }


@given(KERNEL_TYPES)
def test_each_kernel_type_has_a_name_of_its_own_that_jupyter_takes(kernel_types: list[str]) -> None:
    names = jupyter_names(kernel_types)

    assert list(names.values()) == kernel_types
    assert all(re.fullmatch(r"[a-z0-9._-]+", name) for name in names)
