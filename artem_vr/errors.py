"""The errors that a user can meet: each says the cause and what to do, in one line.

Commands print them on standard error and end with exit status 2; the running program shows
them on the HUD and keeps its old state. Anything else that escapes is a defect of ours.
"""

from __future__ import annotations


class ArtemError(Exception):
    """A problem that the user can mend. ``str()`` is one line: cause, then remedy."""

    def __init__(self, cause: str, remedy: str) -> None:
        self.cause = " ".join(cause.split())
        self.remedy = " ".join(remedy.split())
        end = "" if self.remedy.endswith("?") else "."
        super().__init__(f"{self.cause}. {self.remedy}{end}" if self.remedy else f"{self.cause}.")


class SourceError(ArtemError):
    """A source cannot be opened or read."""


class PictureError(ArtemError):
    """A picture file cannot be used."""


class StyleError(ArtemError):
    """A style is unknown or its files cannot be used."""


class WeightsError(ArtemError):
    """A weights file is missing, damaged or of another network."""


class EngineError(ArtemError):
    """An engine or device that was asked for is not there."""


class SettingsError(ArtemError):
    """A setting, from the command line or elsewhere, has no meaning."""


class GraphicsError(ArtemError):
    """No OpenGL, or no window."""


class HeadsetError(ArtemError):
    """SteamVR is not there, or gave up. ``name`` is the runtime's own name of the error."""

    def __init__(self, cause: str, remedy: str, name: str = "") -> None:
        super().__init__(cause, remedy)
        self.name = name


class HeadsetGpuError(HeadsetError):
    """SteamVR cannot reach the GPU that OpenGL draws with."""

    def with_renderer(self, renderer: str) -> HeadsetGpuError:
        """The same, where it is known which GPU that is."""
        return HeadsetGpuError(f"OpenGL runs on {renderer}. {self.cause}", self.remedy, self.name)


def is_lack_of_memory(error: Exception) -> bool:
    """Whether torch, OpenVINO or OpenCV, which say one thing of everything, did not get the memory that they wanted."""
    if not (isinstance(error, RuntimeError) or type(error).__module__ == "cv2"):
        return isinstance(error, MemoryError)
    text = str(error).lower().replace("memory access", "")  # an illegal one is CUDA's word for a GPU that has failed
    return any(word in text for word in ("memory", "alloc"))
