"""What a kernel needs on Windows in place of signals: an event, and a handle of its parent."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

if sys.platform == "win32":
    import ctypes
    from _winapi import DUPLICATE_SAME_ACCESS, CloseHandle, DuplicateHandle, GetCurrentProcess
    from ctypes import wintypes
    from subprocess import CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, STARTUPINFO

    class _SecurityAttributes(ctypes.Structure):
        _fields_ = (
            ("length", wintypes.DWORD),
            ("security_descriptor", wintypes.LPVOID),
            ("inherit_handle", wintypes.BOOL),
        )

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel32.CreateEventW.restype = wintypes.HANDLE
    _kernel32.CreateEventW.argtypes = (
        ctypes.POINTER(_SecurityAttributes),
        wintypes.BOOL,
        wintypes.BOOL,
        wintypes.LPCWSTR,
    )
    _kernel32.SetEvent.argtypes = (wintypes.HANDLE,)

    def make_interruptible(popen_kwargs: dict[str, Any]) -> int:
        """Add what ipykernel and its like look for on Windows to the arguments of ``Popen``.

        :return: the handle of the event that interrupts the kernel
        """
        event = _create_event()
        parent = _parent_handle()
        popen_kwargs["env"] |= {
            "JPY_INTERRUPT_EVENT": str(event),
            "IPY_INTERRUPT_EVENT": str(event),
            "JPY_PARENT_PID": str(parent),
        }
        popen_kwargs["creationflags"] = CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW
        popen_kwargs["startupinfo"] = STARTUPINFO(lpAttributeList={"handle_list": [event, parent]})
        return event

    def send_interrupt(event: int) -> None:
        """Interrupt the kernel that was given the event."""
        _kernel32.SetEvent(event)

    def close_handle(handle: int) -> None:
        """Close a handle of this process."""
        CloseHandle(handle)

    def _create_event() -> int:
        attributes = _SecurityAttributes(ctypes.sizeof(_SecurityAttributes), None, True)
        event: int | None = _kernel32.CreateEventW(ctypes.byref(attributes), False, False, None)
        if event is None:
            raise ctypes.WinError(ctypes.get_last_error())
        return event

    # One serves every kernel, and lives as long as this process does.
    @cache
    def _parent_handle() -> int:
        process = GetCurrentProcess()
        return DuplicateHandle(process, process, process, 0, True, DUPLICATE_SAME_ACCESS)
