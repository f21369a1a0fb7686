"""What a finder knows about one of its providers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from kernel_mgmt.exceptions import ProviderLoadError
from kernel_mgmt.types import Problem

from ._errand import Errand
from ._faults import UnusableError, describe

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelProviderBase
    from kernel_mgmt.types import KernelAttributes

T = TypeVar("T")


class RegisteredProvider:
    """A provider that is loaded at its first use, and whose code runs on threads of its own.

    :ivar id: the name that it is registered under
    :ivar listed: the attributes of the last listing, by name; no one else has these objects
    :ivar problems: what the last listing could not list, and why
    :ivar load_time: the seconds that loading took; ``None`` as long as it is not loaded
    :ivar listing_time: the seconds that the last complete listing took, if there was one
    """

    def __init__(
        self,
        provider_id: str,
        source: Callable[[], KernelProviderBase] | UnusableError,
        distribution: Callable[[], str | None] = lambda: None,
        version: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Take note of a provider; nothing of it is imported yet.

        :param source: returns the provider, ready for use, or raises :exc:`UnusableError`; or
            such an error, for what is not even to be loaded
        :param distribution: returns the name of the distribution that it comes from, if known
        :param version: returns the version of that, if known
        """
        self.id = provider_id
        self.listed: Mapping[str, KernelAttributes] = {}
        self.problems: Sequence[Problem] = ()
        self.load_time: float | None = None
        self.listing_time: float | None = None
        self._source = source
        self._find_distribution = distribution
        self._find_version = version
        self._is_to_refresh = False
        self._loading = threading.Lock()
        self._provider: KernelProviderBase | None = None
        self._errand: Errand[Any] | None = None
        self._hanging: Errand[Any] | None = None

    # Its metadata is slow to read, and of interest only when something is wrong.
    @cached_property
    def distribution(self) -> str | None:
        """The name of the distribution that the provider comes from, if known."""
        return self._find_distribution()

    @property
    def version(self) -> str | None:
        """The version of that distribution, if known."""
        return self._find_version()

    @property
    def loaded(self) -> KernelProviderBase | None:
        """The provider, if it has been loaded."""
        return self._provider

    @property
    def load_problem(self) -> Problem | None:
        """Why the provider cannot be used; ``None`` as long as no attempt has failed."""
        failure = self._source
        if not isinstance(failure, UnusableError):
            return None
        return self.problem(failure.reason, fix=failure.fix, exception=failure.__cause__ or failure)

    def problem(
        self,
        reason: str,
        *,
        name: str | None = None,
        fix: str | None = None,
        exception: BaseException | None = None,
    ) -> Problem:
        """Make a problem of this provider, or of its kernel type ``name``."""
        return Problem(
            self.id,
            reason,
            name=name,
            distribution=self.distribution,
            fix=fix,
            exception=exception,
        )

    @property
    def has_refresh(self) -> bool:
        """Whether the provider, which has been loaded, remembers things that it can forget."""
        return callable(getattr(self._provider, "refresh", None))

    def refresh(self) -> None:
        """Have the provider forget what it remembers, before it is asked the next time."""
        self._is_to_refresh = True

    def load(self) -> KernelProviderBase:
        """Load the provider, unless it has been; to be called where it may hang.

        :raises ProviderLoadError: if it cannot be used; an attempt that has failed is not repeated
        """
        with self._loading:
            if self._provider is None:
                started = monotonic()
                self._provider = self._load()
                self.load_time = monotonic() - started
            if self._is_to_refresh:
                self._is_to_refresh = False
                self._refresh(self._provider)
            return self._provider

    def load_within(self, limit: float) -> KernelProviderBase:
        """Load the provider, unless it has been, within a time limit.

        :raises ProviderLoadError: if it cannot be used, does not answer in time, or hangs
        """
        if self._provider is not None and self._is_idle():
            return self._provider
        return self.run(self.load, limit)

    async def load_within_async(self, limit: float) -> KernelProviderBase:
        """Load the provider, unless it has been, within a time limit.

        :raises ProviderLoadError: if it cannot be used, does not answer in time, or hangs
        """
        if self._provider is not None and self._is_idle():
            return self._provider
        return await self.run_async(self.load, limit)

    def run(self, function: Callable[[], T], limit: float) -> T:
        """Run a function that calls the provider, on a thread.

        :raises ProviderLoadError: if it takes longer than the limit, or the provider still hangs
        """
        errand = self.errand(function, limit)
        errand.start()
        if not errand.wait(limit):
            raise self.timeout_error(limit)
        return errand.result()

    async def run_async(self, function: Callable[[], T], limit: float) -> T:
        """Run a function that calls the provider, on a thread.

        :raises ProviderLoadError: if it takes longer than the limit, or the provider still hangs
        """
        import anyio

        with anyio.move_on_after(limit):
            return await self.errand(function, limit).run()
        raise self.timeout_error(limit)

    def errand(self, function: Callable[[], T], limit: float) -> Errand[T]:
        """Make an errand of a function that calls the provider.

        :raises ProviderLoadError: if the provider cannot be used, or has been at an earlier errand
            for longer than the limit, and so is not asked again
        """
        if isinstance(self._source, UnusableError):
            raise self._load_error(self._source)
        oldest = self._errand
        errand = Errand(function, f"kernel_mgmt provider {self.id}")
        if oldest is None or oldest.ended:
            self._errand = errand
        elif oldest is self._hanging or oldest.age >= limit:
            reason = f"it still hangs, after {oldest.age:.0f} s, and is not asked again meanwhile"
            raise ProviderLoadError(self.id, reason) from TimeoutError(reason)
        return errand

    def timeout_error(self, limit: float) -> ProviderLoadError:
        """Take note that the provider hangs, and make the error that says so."""
        self._hanging = self._errand
        reason = f"it did not answer within {limit:g} s"
        error = ProviderLoadError(self.id, reason)
        error.__cause__ = TimeoutError(reason)
        return error

    def fault(self, what: str, error: BaseException) -> ProviderLoadError:
        """Make the error of a provider that raises what it should not, and log it.

        :param what: what the provider was asked to do, such as ``find_kernels``
        """
        import logging

        reason = f"{what} raised {describe(error)}"
        log = logging.getLogger(__name__)
        log.debug("kernel provider %r: %s", self.id, reason, exc_info=error)
        fault = ProviderLoadError(self.id, reason)
        fault.__cause__ = error
        return fault

    def _is_idle(self) -> bool:
        return (self._errand is None or self._errand.ended) and not self._is_to_refresh

    def _refresh(self, provider: KernelProviderBase) -> None:
        refresh = getattr(provider, "refresh", None)
        if callable(refresh):
            try:
                refresh()
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise self.fault("refresh", error) from error

    def _load(self) -> KernelProviderBase:
        if not isinstance(self._source, UnusableError):
            try:
                return self._source()
            except UnusableError as failure:
                self._source = failure
        raise self._load_error(self._source)

    def _load_error(self, failure: UnusableError) -> ProviderLoadError:
        reason = f"{failure.reason}; {failure.fix}" if failure.fix else failure.reason
        error = ProviderLoadError(self.id, reason)
        error.__cause__ = failure.__cause__ or failure
        return error
