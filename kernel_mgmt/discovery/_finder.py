"""The finder of kernel types."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from os import PathLike
from typing import TYPE_CHECKING, Any

from kernel_mgmt.exceptions import (
    KernelManagementError,
    NoSuchKernelError,
    ReattachError,
    UnknownProviderError,
)

from ._ask import ask, ask_async
from ._config import Configuration, read_configuration
from ._entry_points import installed_entry_points
from ._filter import KernelFilter
from ._launch import check_parameters, launch_through, reattach_through
from ._match import match_kernel
from ._names import is_provider_id, split_name
from ._register import register_entry_points, register_providers
from ._search import gather, list_all, stream

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC, KernelProviderBase
    from kernel_mgmt.records import KernelRecord
    from kernel_mgmt.types import (
        ConnectionInfo,
        KernelAttributes,
        LaunchOptions,
        LaunchParams,
        Problem,
    )

    from ._entry_points import EntryPoint
    from ._listing import Found, Listing
    from ._registered import RegisteredProvider
    from ._report import ProviderReport

_USUAL_DEFAULTS = ("spec/python3", "pyimport/kernel")


class KernelFinder:
    """Finds kernel types through providers, and launches them by name.

    A name is ``provider/kernel``, split at its first slash; a bare name is one of the provider
    ``spec``. Names compare without case.

    A provider that fails, is slow or hangs hides and delays no other: :attr:`problems` tells what
    is wrong with it, and whoever asks for it by name gets an error.
    """

    def __init__(
        self,
        providers: Iterable[KernelProviderBase],
        *,
        config: Mapping[str, Any] | None = None,
        allow: Iterable[str] | None = None,
        deny: Iterable[str] | None = None,
        default_kernel: str | None = None,
        allow_insecure_parameters: bool | None = None,
        time_limit: float = 5.0,
    ) -> None:
        """Make a finder of these providers; none of them is called yet.

        ``allow``, ``deny`` and ``default_kernel`` are taken from the arguments, or else from the
        environment variables ``KERNEL_MGMT_ALLOW``, ``KERNEL_MGMT_DENY`` and
        ``KERNEL_MGMT_DEFAULT_KERNEL``, or else from the configuration.

        :param config: the configuration, as ``kernel_mgmt.toml`` has it; nothing is read if
            ``None``. A traitlets ``Config`` will do.
        :param allow: patterns (:mod:`fnmatch`); what fits none is neither listed nor launched
        :param deny: patterns; what fits one is neither listed nor launched
        :param default_kernel: the kernel type for those who name none
        :param allow_insecure_parameters: whether launch parameters may be given whose schema lets
            them be any text (JEP 87); by default what the configuration says, or else not
        :param time_limit: the seconds that each provider is given to answer
        """
        settings = Configuration({} if config is None else config)
        self._filter = KernelFilter(
            settings.patterns("allow", "KERNEL_MGMT_ALLOW", allow),
            settings.patterns("deny", "KERNEL_MGMT_DENY", deny) or (),
        )
        self._default = settings.text(
            "default_kernel", "KERNEL_MGMT_DEFAULT_KERNEL", default_kernel
        )
        self._allow_insecure = settings.switch(
            "allow_insecure_parameters", allow_insecure_parameters
        )
        self._time_limit = time_limit
        self._problems = settings.problems
        self._providers: dict[str, RegisteredProvider] = {}
        self._displaced: list[RegisteredProvider] = []
        self._register(register_providers(providers, settings.section))

    @classmethod
    def from_entrypoints(
        cls,
        entry_points: Iterable[EntryPoint] | None = None,
        config: Mapping[str, Any] | None = None,
        *,
        config_path: Iterable[str | PathLike[str]] | None = None,
        allow: Iterable[str] | None = None,
        deny: Iterable[str] | None = None,
        default_kernel: str | None = None,
        allow_insecure_parameters: bool | None = None,
        time_limit: float = 5.0,
    ) -> KernelFinder:
        """Make a finder of the providers that are installed; none of them is imported yet.

        :param entry_points: those of the group ``kernel_mgmt.kernel_type_providers`` are the
            providers; by default, those of all installed distributions
        :param config: the configuration; by default, what ``kernel_mgmt.toml`` says in the
            directories of ``config_path``
        :param config_path: the directories of configuration, the first one first in precedence;
            Jupyter's by default

        The other arguments are those of the constructor.
        """
        problems: list[Problem] = []
        if entry_points is None:
            entry_points, unreadable = installed_entry_points()
            problems += unreadable
        if config is None:
            settings = read_configuration(_config_path() if config_path is None else config_path)
            problems += settings.problems
        else:
            settings = Configuration(config)
        finder = cls(
            (),
            config=settings.config,
            allow=allow,
            deny=deny,
            default_kernel=default_kernel,
            allow_insecure_parameters=allow_insecure_parameters,
            time_limit=time_limit,
        )
        finder._problems += problems
        finder._register(register_entry_points(entry_points, settings.section))
        return finder

    @property
    def provider_ids(self) -> tuple[str, ...]:
        """The ids of the providers, also of those that cannot be used."""
        return tuple(self._providers)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with providers, with kernel types of the last listing, and the rest."""
        problems = list(self._problems)
        for provider in (*self._asked(), *self._displaced):
            load_problem = provider.load_problem
            problems += provider.problems if load_problem is None else (load_problem,)
        return tuple(problems)

    def find_kernels(
        self, *, provider_id: str | None = None
    ) -> Iterator[tuple[str, KernelAttributes]]:
        """Iterate over the name and the attributes of each kernel type.

        All providers are asked at once. They come in the order of their ids, but those that take
        more than a moment come last. What is in the attributes is that of the next listing too,
        as long as it stays the same, and not to be changed.

        :param provider_id: the only provider that is to be asked
        :raises UnknownProviderError: if there is no such provider
        """
        asked = self._asked() if provider_id is None else [self._provider(provider_id)]
        return self._list(asked)

    def find_kernels_async(self) -> AsyncIterator[tuple[str, KernelAttributes]]:
        """Iterate over the name and the attributes of each kernel type.

        All providers are asked at once, when the iteration begins, and the first kernel type comes
        when all have answered: it is safe to leave the loop early. They come in the order of the
        ids.
        """
        return _Gathered(self._gather)

    def search(self) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, KernelAttributes]]]:
        """Iterate over the name and the attributes of each kernel type, as soon as it is known.

        ::

            async with finder.search() as kernels:
                async for name, attributes in kernels:
                    ...
        """
        return stream(self._asked(), self._time_limit, self._named)

    def refresh(self) -> None:
        """Have each provider forget what it remembers, before it is asked the next time.

        That concerns those with a method ``refresh``, which may keep what they have found for
        longer than a listing. The others look anew each time anyhow.
        """
        for provider in self._asked():
            provider.refresh()

    def load_provider(self, provider_id: str) -> KernelProviderBase:
        """Return a provider, ready for use.

        :raises UnknownProviderError: if there is no such provider
        :raises ProviderLoadError: if it cannot be used
        """
        return self._provider(provider_id).load_within(self._time_limit)

    def describe_providers(self) -> tuple[ProviderReport, ...]:
        """Tell what has been learned of each provider so far; none is asked.

        After a listing that is all there is to be known.
        """
        from ._report import report

        providers = (*self._providers.values(), *self._displaced)
        return tuple(report(provider, self._kernel_types_of(provider)) for provider in providers)

    def get(self, name: str) -> KernelAttributes:
        """Return the attributes of one kernel type; only its provider is asked.

        :raises UnknownProviderError: if there is no such provider
        :raises ProviderLoadError: if the provider cannot be used
        :raises NoSuchKernelError: if the provider has no such kernel type, or it is excluded
        :raises KernelSpecError: if its kernelspec cannot be used
        """
        provider, kernel_name = self._resolve(name)
        try:
            return ask(provider, kernel_name, self._time_limit)[1]
        except NoSuchKernelError as error:
            raise self._no_such_kernel(provider, kernel_name, error) from error

    async def get_async(self, name: str) -> KernelAttributes:
        """Return the attributes of one kernel type, as :meth:`get` does."""
        provider, kernel_name = self._resolve(name)
        try:
            return (await ask_async(provider, kernel_name, self._time_limit))[1]
        except NoSuchKernelError as error:
            raise self._no_such_kernel(provider, kernel_name, error) from error

    async def get_resource_async(self, name: str, path: str) -> bytes | None:
        """Return a file of a kernel type, such as a logo, that is in no directory of this machine.

        :param path: one of the attribute ``resources``
        :return: ``None`` if there is none, or if it takes too long
        :raises UnknownProviderError: if there is no such provider
        :raises ProviderLoadError: if the provider cannot be used
        :raises NoSuchKernelError: if the provider has no such kernel type, or it is excluded
        """
        from anyio import move_on_after

        registered, kernel_name = self._resolve(name)
        provider: Any = await registered.load_within_async(self._time_limit)
        get_resource: Callable[[str, str], Awaitable[bytes | None]] | None = getattr(
            provider, "get_resource", None
        )
        if get_resource is not None:
            with move_on_after(self._time_limit):
                return await get_resource(kernel_name, path)
        return None

    async def launch(
        self,
        name: str,
        cwd: str | PathLike[str] | None = None,
        launch_params: LaunchParams | None = None,
        *,
        options: LaunchOptions | None = None,
    ) -> tuple[ConnectionInfo, KernelManagerABC | None]:
        """Launch a kernel of a type; only its provider is imported.

        It returns when the process is on its way; the kernel may not answer yet.

        :param cwd: the working directory of the kernel
        :param launch_params: values for the kernel's launch parameters
        :param options: what is asked of the framework rather than of the kernel
        :raises UnknownProviderError: if there is no such provider
        :raises ProviderLoadError: if the provider cannot be used
        :raises NoSuchKernelError: if the provider has no such kernel type, or it is excluded
        :raises KernelSpecError: if its kernelspec cannot be used
        :raises LaunchParameterError: if the launch parameters do not fit their schema
        :raises LaunchOptionError: if the provider cannot take an option that is asked for
        :raises KernelLaunchError: if the kernel cannot be started
        """
        registered, kernel_name = self._resolve(name)
        try:
            kernel_name, attributes = await ask_async(registered, kernel_name, self._time_limit)
            provider = await registered.load_within_async(self._time_limit)
            schema = attributes.get("launch_parameters")
            if schema is not None:
                full_name = f"{registered.id}/{kernel_name}"
                launch_params = await check_parameters(
                    full_name, schema, launch_params, self._allow_insecure
                )
            return await launch_through(provider, kernel_name, cwd, launch_params, options)
        except NoSuchKernelError as error:
            raise self._no_such_kernel(registered, kernel_name, error) from error

    async def reattach(self, record: KernelRecord) -> KernelManagerABC:
        """Take hold of a running kernel that another process launched; only its provider is imported.

        :param record: one that :func:`kernel_mgmt.records.find_records` found
        :raises UnknownProviderError: if there is no such provider
        :raises ProviderLoadError: if the provider cannot be used
        :raises NoSuchKernelError: if the kernel type is excluded
        :raises KernelDiedError: if the kernel no longer runs
        :raises ReattachError: if it is out of reach, or the provider cannot take hold of kernels
        """
        if record.kernel_type is None:
            raise ReattachError(record.kernel_id, "its record does not name its kernel type")
        registered, _ = self._resolve(record.kernel_type)
        provider = await registered.load_within_async(self._time_limit)
        return await reattach_through(provider, record)

    def match(
        self,
        *,
        name: str | None = None,
        display_name: str | None = None,
        language: str | None = None,
    ) -> str:
        """Return the name of the one kernel type that is meant.

        That is the one of this name; or else the only one of this display name; or else the only
        one of this language.

        :raises NoSuchKernelError: if there is none, or more than one; it knows the candidates
        """
        if name is not None:
            try:
                self.get(name)
            except (NoSuchKernelError, UnknownProviderError):
                pass
            else:
                return _full_name(name)
        return match_kernel(
            self.find_kernels(), name=name, display_name=display_name, language=language
        )

    async def match_async(
        self,
        *,
        name: str | None = None,
        display_name: str | None = None,
        language: str | None = None,
    ) -> str:
        """Return the name of the one kernel type that is meant, as :meth:`match` does."""
        if name is not None:
            try:
                await self.get_async(name)
            except (NoSuchKernelError, UnknownProviderError):
                pass
            else:
                return _full_name(name)
        kernels = await self._gather()
        return match_kernel(kernels, name=name, display_name=display_name, language=language)

    def default_kernel(self) -> str:
        """Return the name of the kernel type for those who name none.

        That is the configured one, or else ``spec/python3``, or else ``pyimport/kernel``.

        :raises NoSuchKernelError: if there is none, or the configured one is not there
        """
        if self._default is not None:
            self.get(self._default)
            return _full_name(self._default)
        for name in _USUAL_DEFAULTS:
            try:
                self.get(name)
            except KernelManagementError:
                continue
            return name
        raise _no_default(self.find_kernels())

    async def default_kernel_async(self) -> str:
        """Return the name of the kernel type for those who name none, as :meth:`default_kernel`."""
        if self._default is not None:
            await self.get_async(self._default)
            return _full_name(self._default)
        for name in _USUAL_DEFAULTS:
            try:
                await self.get_async(name)
            except KernelManagementError:
                continue
            return name
        raise _no_default(await self._gather())

    def _register(self, registered: list[RegisteredProvider]) -> None:
        # A valid id is never taken away by what merely looks like it.
        for provider in sorted(registered, key=lambda item: not is_provider_id(item.id)):
            if self._providers.setdefault(provider.id.lower(), provider) is not provider:
                self._displaced.append(provider)

    def _asked(self) -> list[RegisteredProvider]:
        excludes = self._filter.excludes_all_of
        return [provider for provider in self._providers.values() if not excludes(provider.id)]

    def _provider(self, provider_id: str) -> RegisteredProvider:
        provider = self._providers.get(provider_id.lower())
        if provider is None:
            raise UnknownProviderError(provider_id, (known.id for known in self._asked()))
        return provider

    def _kernel_types_of(self, provider: RegisteredProvider) -> tuple[str, ...]:
        names = (f"{provider.id}/{name}" for name in provider.listed)
        return tuple(name for name in names if self._filter.objection(name) is None)

    def _resolve(self, name: str) -> tuple[RegisteredProvider, str]:
        provider_id, kernel_name = split_name(name)
        provider = self._provider(provider_id)
        full_name = f"{provider_id}/{kernel_name}"
        objection = self._filter.objection(full_name) if kernel_name else "a name is missing"
        if objection is not None:
            raise NoSuchKernelError(full_name, reason=objection)
        return provider, kernel_name

    def _no_such_kernel(
        self, provider: RegisteredProvider, kernel_name: str, error: NoSuchKernelError
    ) -> NoSuchKernelError:
        known = (f"{provider.id}/{name}" for name in error.known)
        allowed = (name for name in known if self._filter.objection(name) is None)
        return NoSuchKernelError(f"{provider.id}/{kernel_name}", allowed, reason=error.reason)

    def _list(self, providers: Iterable[RegisteredProvider]) -> Iterator[Found]:
        for listing in list_all(providers, self._time_limit):
            yield from self._named_of(listing)

    async def _gather(self) -> list[Found]:
        listings = await gather(self._asked(), self._time_limit)
        return [found for listing in listings for found in self._named_of(listing)]

    def _named_of(self, listing: Listing) -> Iterator[Found]:
        prefix = f"{listing.provider.id}/"
        kernels = ((prefix + name, attributes) for name, attributes in listing.kernels)
        if self._filter.is_empty:
            return kernels
        return (found for found in kernels if self._filter.objection(found[0]) is None)

    def _named(self, provider: RegisteredProvider, found: Found) -> Found | None:
        name = f"{provider.id}/{found[0]}"
        return (name, found[1]) if self._filter.objection(name) is None else None


class _Gathered(AsyncIterator[tuple[str, "KernelAttributes"]]):
    """Iterates over what is gathered when the first item is asked for."""

    def __init__(self, gather_all: Callable[[], Awaitable[list[Found]]]) -> None:
        self._gather_all = gather_all
        self._kernels: Iterator[Found] | None = None

    async def __anext__(self) -> Found:
        if self._kernels is None:
            self._kernels = iter(await self._gather_all())
        for found in self._kernels:
            return found
        raise StopAsyncIteration


def _full_name(name: str) -> str:
    return "/".join(split_name(name))


def _no_default(kernels: Iterable[Found]) -> NoSuchKernelError:
    reason = "it is the default, and no other is configured"
    return NoSuchKernelError(_USUAL_DEFAULTS[0], (name for name, _ in kernels), reason=reason)


def _config_path() -> Iterable[str]:
    from kernel_mgmt.paths import jupyter_config_path

    return jupyter_config_path()
