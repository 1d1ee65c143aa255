"""The test runtime tells a render loop that waits for slow work from one that does not."""

from __future__ import annotations

import threading
import time

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


def test_a_loop_that_takes_too_long_is_found_out_where_real_time_counts(
    headset: OpenVRHeadset, runtime: Runtime
) -> None:
    show(headset)
    time.sleep(0.001)
    show(headset)
    assert runtime.count.frames_late == runtime.count.vsyncs_missed == 0
    runtime.set_pace(1000.0)  # a millisecond is ninety vsyncs long
    begun = runtime.now
    time.sleep(0.001)
    assert runtime.now >= begun + 1.0
    show(headset)
    assert runtime.count.frames_late == 1
    assert runtime.count.vsyncs_missed >= 89
    runtime.set_pace(0.0)
    begun = runtime.now
    time.sleep(0.001)
    assert runtime.now == begun


def test_the_wait_for_the_next_frame_is_not_the_programs_work(headset: OpenVRHeadset, runtime: Runtime) -> None:
    runtime.set_refresh(1.0)
    show(headset)
    runtime.set_rest(0.5)
    runtime.set_pace(10.0)  # as the program's work, the rest would be five vsyncs
    for _ in range(2):
        show(headset)
    assert runtime.count.vsyncs_missed < 4
