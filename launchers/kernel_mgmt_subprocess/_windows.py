"""What stands on Windows for signals and process groups: an event, a handle of the parent, a job."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

if sys.platform == "win32":
    import ctypes
    from _winapi import (
        DUPLICATE_SAME_ACCESS,
        CloseHandle,
        DuplicateHandle,
        GetCurrentProcess,
        OpenProcess,
    )
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

    class _BasicLimits(ctypes.Structure):
        _fields_ = (
            ("per_process_user_time_limit", wintypes.LARGE_INTEGER),
            ("per_job_user_time_limit", wintypes.LARGE_INTEGER),
            ("limit_flags", wintypes.DWORD),
            ("minimum_working_set_size", ctypes.c_size_t),
            ("maximum_working_set_size", ctypes.c_size_t),
            ("active_process_limit", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("priority_class", wintypes.DWORD),
            ("scheduling_class", wintypes.DWORD),
        )

    class _ExtendedLimits(ctypes.Structure):
        _fields_ = (
            ("basic_limits", _BasicLimits),
            ("io_counters", ctypes.c_ulonglong * 6),
            ("process_memory_limit", ctypes.c_size_t),
            ("job_memory_limit", ctypes.c_size_t),
            ("peak_process_memory_used", ctypes.c_size_t),
            ("peak_job_memory_used", ctypes.c_size_t),
        )

    # JobObjectExtendedLimitInformation, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, PROCESS_TERMINATE and
    # PROCESS_SET_QUOTA of winnt.h
    _EXTENDED_LIMITS = 9
    _KILL_ON_JOB_CLOSE = 0x2000
    _TERMINATE = 0x0001
    _SET_QUOTA = 0x0100
    _kernel32.CreateJobObjectW.restype = wintypes.HANDLE
    _kernel32.CreateJobObjectW.argtypes = (ctypes.POINTER(_SecurityAttributes), wintypes.LPCWSTR)
    _kernel32.SetInformationJobObject.argtypes = (
        wintypes.HANDLE,
        ctypes.c_int,
        ctypes.POINTER(_ExtendedLimits),
        wintypes.DWORD,
    )
    _kernel32.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
    _kernel32.TerminateJobObject.argtypes = (wintypes.HANDLE, wintypes.UINT)

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

    def create_job(pid: int) -> int:
        """Put a process into a job of its own, in which the children will be that it starts.

        When the last handle of the job is closed, which the system does at the end of this program,
        all that is in it ends.

        :param pid: the process, of which somebody holds a handle
        :return: the handle of the job
        :raises OSError: if the system refuses
        """
        job: int | None = _kernel32.CreateJobObjectW(None, None)
        if job is None:
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            _fill_job(job, pid)
        except BaseException:
            CloseHandle(job)
            raise
        return job

    def end_job(job: int) -> None:
        """End what is in a job, and close its handle."""
        _kernel32.TerminateJobObject(job, 1)
        CloseHandle(job)

    def _fill_job(job: int, pid: int) -> None:
        limits = _ExtendedLimits()
        limits.basic_limits.limit_flags = _KILL_ON_JOB_CLOSE
        size = ctypes.sizeof(limits)
        process = OpenProcess(_SET_QUOTA | _TERMINATE, False, pid)
        try:
            done = _kernel32.SetInformationJobObject(
                job, _EXTENDED_LIMITS, ctypes.byref(limits), size
            ) and _kernel32.AssignProcessToJobObject(job, process)
            if not done:
                raise ctypes.WinError(ctypes.get_last_error())
        finally:
            CloseHandle(process)

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
