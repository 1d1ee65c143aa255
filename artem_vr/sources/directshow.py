"""The names of Windows' cameras, in the order in which OpenCV's DirectShow back end numbers them.

OpenCV does not tell names. This asks DirectShow's device enumerator through ctypes: COM interfaces are tables of
functions; the numbers below are places in those tables, in the order of Microsoft's headers (objidl.h, strmif.h,
oaidl.h).
"""

from __future__ import annotations

import ctypes
import sys
import uuid
from typing import Any

_DEVICE_ENUMERATOR = "62BE5D10-60EB-11D0-BD3B-00A0C911CE86"  # CLSID_SystemDeviceEnum
_CREATE_DEVICE_ENUMERATOR = "29840822-5B84-11D0-BD3B-00A0C911CE86"  # IID_ICreateDevEnum
_VIDEO_INPUTS = "860BB310-5D01-11D0-BD3B-00A0C911CE86"  # CLSID_VideoInputDeviceCategory
_PROPERTY_BAG = "55272A00-42CB-11CE-8135-00AA004BB851"  # IID_IPropertyBag
_RELEASE, _CREATE_CLASS_ENUMERATOR, _NEXT, _READ, _BIND_TO_STORAGE = 2, 3, 3, 3, 9
_IN_PROCESS, _BSTR = 1, 8  # CLSCTX_INPROC_SERVER, VT_BSTR


class _Variant(ctypes.Structure):
    _fields_ = [
        ("kind", ctypes.c_uint16),
        ("reserved", ctypes.c_uint16 * 3),
        ("text", ctypes.c_wchar_p),
        ("rest", ctypes.c_void_p),
    ]


def camera_names() -> list[str]:
    """The names, the place in the list being OpenCV's number; empty when there are none or DirectShow fails."""
    if sys.platform != "win32":
        return []
    ole32, oleaut32 = ctypes.WinDLL("ole32"), ctypes.WinDLL("oleaut32")
    started = ole32.CoInitializeEx(None, 0) >= 0  # a failure means: started before, in another mode, which will do
    try:
        return _names(ole32, oleaut32)
    except OSError:
        return []
    finally:
        if started:
            ole32.CoUninitialize()


def _names(ole32: Any, oleaut32: Any) -> list[str]:
    names: list[str] = []
    devices, cameras = ctypes.c_void_p(), ctypes.c_void_p()
    made = ole32.CoCreateInstance(
        _guid(_DEVICE_ENUMERATOR), None, _IN_PROCESS, _guid(_CREATE_DEVICE_ENUMERATOR), ctypes.byref(devices)
    )
    if made != 0 or not devices:
        return names
    # 1 (S_FALSE) and no enumerator: there are no cameras.
    _call(devices, _CREATE_CLASS_ENUMERATOR, _guid(_VIDEO_INPUTS), ctypes.byref(cameras), ctypes.c_ulong(0))
    moniker = ctypes.c_void_p()
    while cameras and _call(cameras, _NEXT, ctypes.c_ulong(1), ctypes.byref(moniker), None) == 0:
        bag = ctypes.c_void_p()
        name = ""
        if _call(moniker, _BIND_TO_STORAGE, None, None, _guid(_PROPERTY_BAG), ctypes.byref(bag)) == 0:
            value = _Variant()
            if _call(bag, _READ, ctypes.c_wchar_p("FriendlyName"), ctypes.byref(value), None) == 0:
                name = value.text if value.kind == _BSTR and value.text else ""
                oleaut32.VariantClear(ctypes.byref(value))
            _call(bag, _RELEASE)
        names.append(name)
        _call(moniker, _RELEASE)
    if cameras:
        _call(cameras, _RELEASE)
    _call(devices, _RELEASE)
    return names


def _guid(text: str) -> Any:
    return ctypes.create_string_buffer(uuid.UUID(text).bytes_le, 16)


def _call(this: ctypes.c_void_p, place: int, *arguments: Any) -> int:
    """Call the function at ``place`` of a COM object's table; returns its HRESULT."""
    table = ctypes.cast(this, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p))).contents
    prototype = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_void_p, *[_kind(a) for a in arguments])
    return int(prototype(table[place] or 0)(this, *arguments))


def _kind(argument: Any) -> Any:
    return type(argument) if isinstance(argument, (ctypes.c_ulong, ctypes.c_wchar_p)) else ctypes.c_void_p
