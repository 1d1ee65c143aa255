"""Import OpenVINO without its usage reports.

``import openvino`` sends an event to a web service, from a process of its own, each time, if the
package ``openvino_telemetry`` is there. A program that sees through people's cameras must not
call out; and without a network connection it would wait for it at the end.
"""

from __future__ import annotations

import sys
from types import ModuleType

_REPORTER = "openvino_telemetry"


def import_openvino() -> ModuleType:
    """The module ``openvino``. Raises ImportError when it is not installed."""
    absent = object()
    before = sys.modules.get(_REPORTER, absent)
    if before is absent:
        sys.modules[_REPORTER] = None  # type: ignore[assignment]  # imports of it fail; OpenVINO has a stub
    try:
        import openvino
    finally:
        if before is absent:
            del sys.modules[_REPORTER]
    module: ModuleType = openvino
    return module
