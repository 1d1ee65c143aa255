"""The test runtime tells a render loop that waits for slow work from one that does not."""

from __future__ import annotations

import threading

from artem_vr.vr.openvr_headset import OpenVRHeadset
from tests.openvr_runtime import Runtime

WORK = 0.040
"""Virtual seconds: more than three vsyncs at 90 Hz."""


def show(headset: OpenVRHeadset) -> None:
    headset.submit(1, 2, headset.begin_frame().head_to_world)
    headset.end_frame()


def test_a_loop_beside_slow_work_misses_nothing(headset: OpenVRHeadset, runtime: Runtime) -> None:
    done = threading.Event()

    def work() -> None:
        for _ in range(5):
            runtime.sleep(WORK, patience=60.0)
        done.set()

    runtime.set_rest(0.001)
    show(headset)
    threading.Thread(target=work, daemon=True).start()
    while not done.is_set():
        show(headset)
    assert runtime.now >= 5 * WORK
    assert runtime.count.vsyncs_missed == runtime.count.vsyncs_without_submit == headset.missed_vsyncs == 0


def test_a_loop_that_waits_for_slow_work_is_found_out(headset: OpenVRHeadset, runtime: Runtime) -> None:
    show(headset)
    worker = threading.Thread(target=runtime.sleep, args=(WORK, 0.05), daemon=True)
    worker.start()
    worker.join(60)
    show(headset)
    assert runtime.count.vsyncs_missed == 3
    assert headset.missed_vsyncs == 3
