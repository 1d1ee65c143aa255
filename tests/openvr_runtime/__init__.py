"""A SteamVR for tests: the real openvr package and libopenvr_api run against it. See `driver.Runtime`."""

from tests.openvr_runtime.driver import CONTROLLERS, Runtime, Submission, build

__all__ = ["CONTROLLERS", "Runtime", "Submission", "build"]
