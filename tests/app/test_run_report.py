from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace

import pytest

from artem_vr.live.run_report import PaintingLog, RunMeter, one_line, peak_memory_mb, percentile


def test_percentiles_are_samples_that_occurred():
    samples = [float(n) for n in range(1, 101)]
    assert [percentile(samples, p) for p in (0, 50, 95, 99, 100)] == [1, 50, 95, 99, 100]
    assert percentile([7.0], 50) == 7.0
    assert percentile([3.0, 1.0], 50) == 1.0


@dataclass(frozen=True)
class Frame:
    sequence: int


@dataclass(frozen=True)
class Painting:
    source: Frame
    painted_at: float
    other: object = None


def test_a_run_in_figures():
    meter = RunMeter(started_at=100.0)
    for frame in range(11):
        painted_at = 102.0 + 0.05 * frame
        meter.log.put(Painting(Frame(frame), painted_at))
        meter.displayed(painted_at + 0.01, 0.04 if frame else 2.01)  # the first one waited for the engine
    for milliseconds in (1, 2, 3, 4):
        meter.rendered(milliseconds / 1000)
    report = meter.report(missed_vsyncs=2, device="cpu", engine="torch", style="scream")
    assert report["frames"] == report["shown"] == 11
    assert report["stylized_fps"] == pytest.approx(20.0)
    assert (report["render_ms_p50"], report["render_ms_p99"]) == (2.0, 4.0)
    assert report["latency_ms_p50"] == report["latency_ms_p95"] == pytest.approx(40.0)
    assert report["startup_s"] == pytest.approx(2.01)
    assert report["missed_vsyncs"] == 2
    assert (report["device"], report["engine"], report["style"]) == ("cpu", "torch", "scream")


def test_of_a_single_painting_the_latency_is_its_own():
    meter = RunMeter(started_at=100.0)
    meter.displayed(102.0, 1.9)
    assert meter.report()["latency_ms_p50"] == pytest.approx(1900.0)


def test_only_distinct_source_frames_count_and_shown_or_not():
    log = PaintingLog()
    for sequence, at in ((0, 1.0), (0, 1.1), (1, 1.2), (5, 1.3), (5, 1.35)):
        log.put(Painting(Frame(sequence), at))
    assert log.distinct == 3
    assert log.replaced == 4
    assert log.per_second() == pytest.approx(2 / 0.3)
    newest = log.take()
    assert newest is not None
    assert newest.painted_at == 1.35


def test_a_run_of_n_frames_is_measured_over_n_frames():
    log = PaintingLog(limit=3)
    for sequence in range(10):
        assert log.full == (sequence >= 3)
        log.put(Painting(Frame(sequence), float(sequence)))
    assert log.distinct == 3
    assert log.per_second() == pytest.approx(1.0)
    newest = log.take()
    assert newest is not None
    assert newest.source.sequence == 9


def test_a_run_without_a_frame_still_reports():
    report = RunMeter(0.0).report()
    assert report["frames"] == 0
    assert report["stylized_fps"] == 0.0
    assert report["latency_ms_p50"] is None
    assert report["startup_s"] is None


def test_the_report_is_one_line_of_json():
    line = one_line(RunMeter(0.0).report(source="film.mp4", note="Größe\nzwei"))
    assert "\n" not in line
    assert json.loads(line)["note"] == "Größe\nzwei"


@pytest.mark.skipif(sys.platform not in ("linux", "win32", "darwin"), reason="peak memory is unknown here")
def test_peak_memory_is_that_of_this_process():
    peak = peak_memory_mb()
    assert peak is not None
    assert 5 < peak < 100_000


def test_a_frame_that_shall_be_in_two_styles_counts_once_it_is() -> None:
    log = PaintingLog(2, in_two=lambda: True)
    in_one = Painting(Frame(7), 1.0)
    log.put(in_one)
    assert log.distinct == 0 and log.take() is in_one, "it is shown"
    log.put(replace(in_one, other="a second painting"))
    assert log.distinct == 1
    without_end = PaintingLog(0, in_two=lambda: True)
    without_end.put(in_one)
    assert without_end.distinct == 1, "nobody counts"
