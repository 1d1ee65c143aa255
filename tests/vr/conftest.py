"""What the headset's tests share: a fresh SteamVR for each."""

from __future__ import annotations

from tests.openvr_runtime.fixtures import headset, openvr_library, runtime  # noqa: F401
