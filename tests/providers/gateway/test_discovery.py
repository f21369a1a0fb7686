"""Kernel types are found on gateways, and a gateway that fails hides no other."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from kernel_mgmt import KernelFinder, NoSuchKernelError
from kernel_mgmt_gateway import (
    GatewayCredentialsError,
    GatewayError,
    GatewayKernelProvider,
    GatewaySettings,
    GatewayTimeoutError,
    GatewayUnreachableError,
)

from .rest_server import Fault, RestServer, rest_server

pytestmark = pytest.mark.anyio

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def gateway() -> Iterator[RestServer]:
    with rest_server() as gateway:
        yield gateway


def settings_of(gateway: RestServer, gateway_id: str = "", **values: object) -> GatewaySettings:
    return GatewaySettings.from_mapping({"url": gateway.url, **values}, gateway_id)


def finder_of(*settings: GatewaySettings) -> KernelFinder:
    return KernelFinder([GatewayKernelProvider(settings)])


def names_of(finder: KernelFinder) -> list[str]:
    return [name for name, _ in finder.find_kernels()]


def test_the_kernel_types_of_one_gateway_have_the_names_of_its_kernelspecs(
    gateway: RestServer,
) -> None:
    finder = finder_of(settings_of(gateway))
    kernels = dict(finder.find_kernels())

    assert finder.problems == ()
    assert list(kernels) == ["gateway/python3"]
    (attributes,) = kernels.values()
    assert attributes.get("display_name") == f"Python 3 ({gateway.url[7:].removesuffix('/base')})"
    assert attributes.get("language") == "python"
    assert attributes.get("metadata") == {"debugger": True}


def test_the_argv_of_another_machine_is_not_told(gateway: RestServer) -> None:
    ((_, attributes),) = finder_of(settings_of(gateway)).find_kernels()

    assert "argv" not in attributes


def test_the_kernel_types_of_several_gateways_begin_with_their_ids(gateway: RestServer) -> None:
    finder = finder_of(settings_of(gateway, "lab"), settings_of(gateway, "grid"))

    assert names_of(finder) == ["gateway/lab.python3", "gateway/grid.python3"]
    assert finder.get("gateway/grid.python3").get("display_name") == "Python 3 (grid)"
    assert finder.get("gateway/GRID.Python3").get("display_name") == "Python 3 (grid)"


def test_the_only_gateway_may_be_named_too(gateway: RestServer) -> None:
    finder = finder_of(settings_of(gateway, "lab"))

    assert names_of(finder) == ["gateway/python3"]
    assert finder.get("gateway/lab.python3") == finder.get("gateway/python3")


def test_a_gateway_that_is_dead_hides_no_other_and_is_named(gateway: RestServer) -> None:
    finder = finder_of(GatewaySettings(NOBODY, "dead"), settings_of(gateway, "lab"))
    names = names_of(finder)
    (problem,) = finder.problems

    assert names == ["gateway/lab.python3"]
    assert f"{NOBODY} is not there: nothing listens at its port" in str(problem)


def test_a_gateway_that_hangs_is_given_a_time_of_its_own(gateway: RestServer) -> None:
    with rest_server() as hanging:
        hanging.faults = [Fault("GET", until=(ended := threading.Event()))]
        slow = settings_of(hanging, "slow", listing_timeout=0.2)
        finder = finder_of(slow, settings_of(gateway, "lab"))
        names = names_of(finder)
        ended.set()
    (problem,) = finder.problems

    assert names == ["gateway/lab.python3"]
    assert isinstance(problem.exception, GatewayTimeoutError)
    assert "did not list its kernels within 0.2 s" in str(problem)


def test_a_gateway_that_failed_is_not_waited_for_by_the_next_listing(gateway: RestServer) -> None:
    gateway.faults = [Fault("GET", status=500)]
    finder = finder_of(settings_of(gateway))
    names = [names_of(finder) for _ in range(2)]

    assert names == [[], []]
    assert len(finder.problems) == len(gateway.seen) == 1


def test_a_listing_that_is_fresh_is_not_asked_for_again(gateway: RestServer) -> None:
    finder = finder_of(settings_of(gateway))
    names = [names_of(finder) for _ in range(3)]

    assert names == [["gateway/python3"]] * 3
    assert len(gateway.seen) == 1


def test_a_listing_that_is_stale_is_given_while_another_is_fetched(gateway: RestServer) -> None:
    finder = finder_of(settings_of(gateway, cache_time=0))
    names_of(finder)
    gateway.kernelspecs = {"ir": gateway.kernelspecs["python3"]}
    gateway.asked.clear()
    stale = names_of(finder)
    is_asked = gateway.asked.wait(30)

    assert stale == ["gateway/python3"]
    assert is_asked


def test_a_refresh_forgets_the_listing(gateway: RestServer) -> None:
    finder = finder_of(settings_of(gateway))
    names_of(finder)
    gateway.kernelspecs = {"ir": gateway.kernelspecs["python3"]}
    finder.refresh()

    assert names_of(finder) == ["gateway/ir"]


def test_the_user_is_a_query_of_a_listing_and_of_a_single_kernelspec_alike(
    gateway: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERNEL_USERNAME", "bob&co")
    finder = finder_of(settings_of(gateway))
    single = finder.get("gateway/python3")
    listed = dict(finder.find_kernels())

    assert listed == {"gateway/python3": single}
    assert [(each.path, each.query) for each in gateway.seen] == [
        ("/base/api/kernelspecs/python3", {"user": ["bob&co"]}),
        ("/base/api/kernelspecs", {"user": ["bob&co"]}),
    ]


def test_a_kernelspec_that_is_odd_hides_no_other(gateway: RestServer) -> None:
    gateway.kernelspecs = {"odd": 3, "odder": {"spec": []}, **gateway.kernelspecs}
    finder = finder_of(settings_of(gateway))

    assert names_of(finder) == ["gateway/python3"]
    assert [problem.name for problem in finder.problems] == ["odd", "odder"]


def test_a_name_that_is_not_there_is_no_kernel_type(gateway: RestServer) -> None:
    finder = finder_of(settings_of(gateway))
    with pytest.raises(NoSuchKernelError, match="did you mean 'gateway/python3'"):
        finder.get("gateway/python4")


def test_a_name_is_quoted_as_one_part_of_a_path(gateway: RestServer) -> None:
    finder = finder_of(settings_of(gateway))
    with pytest.raises(NoSuchKernelError):
        finder.get("gateway/../kernels?x=1")

    assert "/base/api/kernelspecs/..%2Fkernels%3Fx%3D1" in gateway.paths("GET")


async def test_the_files_of_a_kernel_type_are_fetched_when_asked_for(gateway: RestServer) -> None:
    provider = GatewayKernelProvider([settings_of(gateway)])
    with anyio.fail_after(30):
        attributes = await provider.get_kernel("python3")
        paths: dict[str, str] = json.loads(json.dumps(attributes))["resources"]
        logo = await provider.get_resource("python3", paths["logo-64x64"])
        nothing = await provider.get_resource("python3", "logo-svg.svg")

    assert paths == {"logo-64x64": "logo-64x64.png"}
    assert logo == b"a picture"
    assert nothing is None


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (401, GatewayCredentialsError, r"asks for credentials \(401\); set JUPYTER_GATEWAY_AUTH"),
        (403, GatewayCredentialsError, r"does not allow this \(403\)"),
        (404, GatewayError, "correct its url, which may lack the base path"),
        (302, GatewayError, "give the url that it leads to"),
        (500, GatewayError, "see its log"),
    ],
)
async def test_a_refusal_names_the_gateway_and_the_way_out(
    gateway: RestServer, status: int, kind: type[GatewayError], hint: str
) -> None:
    gateway.faults = [Fault("GET", status=status)]
    with anyio.fail_after(30), pytest.raises(kind, match=hint) as caught:
        await GatewayKernelProvider([settings_of(gateway)]).list_running()

    assert caught.value.status == status
    assert f"The gateway {gateway.url} " in str(caught.value)


async def test_a_host_that_is_not_known_is_told() -> None:
    provider = GatewayKernelProvider([GatewaySettings("http://no-such-host.invalid")])
    with anyio.fail_after(30), pytest.raises(GatewayUnreachableError, match="host 'no-such-host"):
        await provider.get_kernel("python3")


async def test_what_speaks_no_tls_is_told(gateway: RestServer) -> None:
    provider = GatewayKernelProvider([GatewaySettings(gateway.url.replace("http", "https", 1))])
    with anyio.fail_after(30), pytest.raises(GatewayUnreachableError, match="begins with http://"):
        await provider.get_kernel("python3")


async def test_what_is_no_gateway_is_told(gateway: RestServer) -> None:
    gateway.faults = [Fault("GET", status=200)]
    with anyio.fail_after(30), pytest.raises(GatewayError, match="is no Jupyter gateway"):
        await GatewayKernelProvider([settings_of(gateway)]).get_kernel("python3")


async def test_no_answer_in_time_is_told(gateway: RestServer) -> None:
    gateway.faults = [Fault("GET", until=(ended := threading.Event()))]
    settings = settings_of(gateway, request_timeout=0.2)
    try:
        with anyio.fail_after(30), pytest.raises(GatewayTimeoutError, match="request_timeout"):
            await GatewayKernelProvider([settings]).list_running()
    finally:
        ended.set()


@pytest.mark.parametrize("fault", [Fault("GET", status=503), Fault("GET", is_dropped=True)])
async def test_what_does_no_harm_is_asked_again(gateway: RestServer, fault: Fault) -> None:
    gateway.faults = [fault, fault]
    with anyio.fail_after(30):
        kernels = await GatewayKernelProvider([settings_of(gateway)]).list_running()

    assert kernels == []
    assert len(gateway.seen) == 3


async def test_a_gateway_is_asked_again_a_few_times_only(gateway: RestServer) -> None:
    gateway.faults = [Fault("GET", status=503)] * 5
    settings = settings_of(gateway, request_retries=1)
    with anyio.fail_after(30), pytest.raises(GatewayError, match=r"has failed \(503\)"):
        await GatewayKernelProvider([settings]).list_running()

    assert len(gateway.seen) == 2


async def test_a_gateway_is_found_on_the_path_of_its_endpoints(gateway: RestServer) -> None:
    settings = settings_of(gateway, kernelspecs_endpoint="other")
    with anyio.fail_after(30), pytest.raises(NoSuchKernelError):
        await GatewayKernelProvider([settings]).get_kernel("python3")

    assert gateway.paths("GET") == ["/base/other/python3"]


async def test_a_gateway_that_is_not_there_is_no_kernel_type_that_is_not_there() -> None:
    provider = GatewayKernelProvider([])
    with pytest.raises(NoSuchKernelError, match="set JUPYTER_GATEWAY_URL"):
        await provider.get_kernel("python3")


def test_a_gateway_without_the_extra_tells_how_to_install_it(
    gateway: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("httpx2", "httpcore2"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "httpx2", None)
    finder = finder_of(settings_of(gateway))
    names = names_of(finder)

    assert names == []
    assert "pip install 'kernel-mgmt[gateway]'" in str(finder.problems)


def test_a_listing_without_gateways_loads_nothing_that_talks_to_one() -> None:
    code = (
        "import sys; from kernel_mgmt_gateway import GatewayKernelProvider as Provider;"
        "found = list(Provider().find_kernels());"
        "heavy = {'httpx2', 'anyio', 'asyncio', 'ssl', 'json', 'urllib.parse'};"
        "print(found, sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parent,
    )

    assert result.stdout.strip() == "[] []"
