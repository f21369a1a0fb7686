"""What one provider lists, checked item by item."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from functools import partial
from inspect import isawaitable
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from kernel_mgmt.exceptions import ProviderLoadError
from kernel_mgmt.types import KernelAttributes, Problem

from ._attributes import normalise
from ._faults import describe, show
from ._names import is_kernel_name

if TYPE_CHECKING:
    from ._errand import Errand
    from ._registered import RegisteredProvider

Found = tuple[str, KernelAttributes]


class Listing:
    """The kernel types of one provider, as they come.

    :ivar provider: whose kernel types they are
    :ivar error: what ended the listing too early, if anything did
    """

    def __init__(
        self,
        provider: RegisteredProvider,
        limit: float,
        found: Callable[[Listing, Found], object] | None = None,
    ) -> None:
        """Prepare to ask a provider.

        :param limit: the seconds that it is given
        :param found: called with each kernel type as it comes, in whatever thread
        """
        self.provider = provider
        self.error: ProviderLoadError | None = None
        self._limit = limit
        self._found = found
        self._kernels: dict[str, Found] = {}
        self._listed: dict[str, KernelAttributes] = {}
        self._listed_before = provider.listed
        self._problems: list[Problem] = []
        self._errand: Errand[None] | None = None
        self._asked_at: float | None = None
        self._closed = False

    @property
    def kernels(self) -> list[Found]:
        """The names within the provider, and the attributes, of what has come so far."""
        return list(self._kernels.values())

    def find(self, name: str) -> Found | None:
        """Return the kernel type of a name, compared without case."""
        return self._kernels.get(name.lower())

    def problem_of(self, name: str) -> Problem | None:
        """Return what kept the kernel type of a name out of the listing."""
        wanted = name.lower()
        named = (problem for problem in self._problems if problem.name is not None)
        return next((problem for problem in named if str(problem.name).lower() == wanted), None)

    def start(self, when_ended: Callable[[], object]) -> None:
        """Ask the provider, in a thread.

        :param when_ended: called when nothing more is to come
        """
        try:
            self._errand = self.provider.errand(self._ask, self._limit)
        except ProviderLoadError as error:
            self._fail(error)
            when_ended()
        else:
            self._errand.start(when_ended)

    @property
    def ended(self) -> bool:
        """Whether nothing more is to come from the thread."""
        return self._errand is None or self._errand.ended

    def close(self) -> None:
        """Take what has come from the thread, and keep the problems."""
        if self._errand is not None:
            if self._errand.ended:
                self._errand.result()
            else:
                self._fail(self.provider.timeout_error(self._limit))
        self._close()

    async def complete(self) -> None:
        """Ask the provider, in a thread, until nothing more is to come or its time is up."""
        import anyio

        try:
            errand = self.provider.errand(self._ask, self._limit)
            with anyio.move_on_after(self._limit):
                return await errand.run()
            self._fail(self.provider.timeout_error(self._limit))
        except ProviderLoadError as error:
            self._fail(error)
        finally:
            self._close()

    def _close(self) -> None:
        self._closed = True
        self.provider.listed = self._listed
        self.provider.problems = tuple(self._problems)

    def _ask(self) -> None:
        awaitable = self._begin()
        if awaitable is not None:
            self._await(awaitable)
        if self._asked_at is not None:
            self.provider.listing_time = monotonic() - self._asked_at

    def _await(self, awaitable: object) -> None:
        import anyio

        try:
            # An event loop of its own: what blocks it, or cannot be cancelled, holds up no other.
            anyio.run(self._finish_in_time, awaitable, backend="asyncio")
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a provider may cancel its own task
            self._fail(self.provider.fault("find_kernels", error))

    async def _finish_in_time(self, awaitable: object) -> None:
        import anyio

        with anyio.move_on_after(self._limit) as scope:
            await self._finish(awaitable)
        if scope.cancelled_caught:
            self._fail(self.provider.timeout_error(self._limit))

    def _begin(self) -> object | None:
        """Ask the provider; return what it gives if that has to be awaited."""
        try:
            provider = self.provider.load()
        except ProviderLoadError as error:
            self._fail_to_load(error)
            return None
        self._asked_at = monotonic()
        try:
            found: object = provider.find_kernels()
            if isawaitable(found) or isinstance(found, AsyncIterable):
                return cast("object", found)
            self._add_all(found)
        except _ClosedError:
            return None
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - reported
            self._fail(self.provider.fault("find_kernels", error))
        return None

    async def _finish(self, found: object) -> None:
        import anyio

        try:
            if isawaitable(found):
                found = cast("object", await found)
            if isinstance(found, AsyncIterable):
                async for item in cast("AsyncIterable[object]", found):
                    self._add(item)
                self._add_problems()
            else:
                self._add_all(found)
        except _ClosedError:
            return
        except (KeyboardInterrupt, anyio.get_cancelled_exc_class()):
            raise
        except BaseException as error:  # noqa: BLE001 - reported
            self._fail(self.provider.fault("find_kernels", error))

    def _add_all(self, found: object) -> None:
        for item in cast("Iterable[object]", found):
            self._add(item)
        self._add_problems()

    def _add(self, item: Any) -> None:
        if self._closed:
            raise _ClosedError
        try:
            name, told = item
            attributes = self._listed_before[name]
            key = name.lower()
            is_as_before = attributes == told and key not in self._kernels
        except Exception:  # noqa: BLE001 - what does not compare is looked at
            self._add_new(item)
            return
        if is_as_before:
            # No need to look at each part of it again.
            self._keep(key, name, attributes)
        else:
            self._add_new(item)

    def _add_new(self, item: object) -> None:
        if not _is_pair(item):
            self._report(f"find_kernels yields {show(item)}, not a pair of a name and attributes")
            return
        name, told = item
        if not isinstance(name, str) or not is_kernel_name(name):
            self._report(f"find_kernels yields the name {show(name)}, which names no kernel type")
        elif not isinstance(told, Mapping):
            self._report(f"its attributes are {show(told)}, not a mapping", name)
        elif name.lower() in self._kernels:
            self._report("find_kernels yields more than one of this name", name)
        else:
            self._add_kernel(name, cast("Mapping[str, Any]", told))

    def _add_kernel(self, name: str, told: Mapping[str, Any]) -> None:
        try:
            attributes = normalise(name, told, partial(self._report, name=name))
        except Exception as error:  # noqa: BLE001 - a mapping of a stranger may do anything
            self._report(f"its attributes cannot be read: {describe(error)}", name, error)
            return
        self._keep(name.lower(), name, attributes)

    def _keep(self, key: str, name: str, attributes: KernelAttributes) -> None:
        self._listed[name] = attributes
        self._kernels[key] = found = (name, attributes.copy())
        if self._found is not None:
            self._found(self, found)

    def _add_problems(self) -> None:
        """Take over what the provider itself could not list."""
        problems: object = getattr(self.provider.loaded, "problems", ())
        for problem in cast("Iterable[object]", problems):
            if isinstance(problem, Problem):
                self._problems.append(problem)

    def _report(
        self, reason: str, name: str | None = None, error: BaseException | None = None
    ) -> None:
        self._problems.append(self.provider.problem(reason, name=name, exception=error))

    def _fail_to_load(self, error: ProviderLoadError) -> None:
        if self.provider.load_problem is None:
            self._fail(error)
        else:
            self.error = error

    def _fail(self, error: ProviderLoadError) -> None:
        if self.error is None:
            self.error = error
            self._report(error.reason, error=error.__cause__)


def _is_pair(item: object) -> TypeGuard[tuple[object, object]]:
    return isinstance(item, tuple | list) and len(cast("Sequence[object]", item)) == 2


class _ClosedError(Exception):
    """Raised in the thread of a provider that goes on when nobody listens any more."""
