"""Requests to end are heard, whoever sends them, and what runs then closes in order."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from typing import Any

import pytest

from artem_vr.stop_requests import REQUESTS, ends_on_request, noted_requests

REQUESTED = [getattr(signal, name) for name in REQUESTS if hasattr(signal, name)]


@pytest.fixture(params=REQUESTED, ids=lambda number: number.name)
def number(request: pytest.FixtureRequest) -> signal.Signals:
    signal.signal(request.param, signal.SIG_DFL)  # also where the tests run under nohup
    return signal.Signals(request.param)


def test_a_request_ends_as_ctrl_c_does_and_once(number: signal.Signals) -> None:
    closed = []
    with pytest.raises(KeyboardInterrupt), ends_on_request():
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(number)
            closed.append("in order")
    assert closed == ["in order"]


@pytest.mark.parametrize("hears", [ends_on_request, noted_requests])
def test_a_late_second_request_does_not_kill_what_is_ending(hears: Any, number: signal.Signals) -> None:
    with suppress(KeyboardInterrupt), hears():
        signal.raise_signal(number)
        raise KeyboardInterrupt
    signal.raise_signal(number)  # would end the tests themselves


def test_a_request_that_a_callback_swallowed_is_known(number: signal.Signals) -> None:
    """What is raised in a callback of ctypes is printed and lost."""
    with ends_on_request() as asked_to_end:
        assert not asked_to_end()
        with suppress(KeyboardInterrupt):
            signal.raise_signal(number)
        assert asked_to_end()


def test_each_ctrl_c_breaks_in() -> None:
    with ends_on_request() as asked_to_end:
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert asked_to_end()


def test_what_goes_on_in_spite_of_a_request_hears_the_next_one(number: signal.Signals) -> None:
    heard: list[Any] = []
    signal.signal(number, lambda *_: heard.append(number))
    with noted_requests():
        signal.raise_signal(number)
    signal.raise_signal(number)
    assert heard == [number]


def test_afterwards_all_is_as_before(number: signal.Signals) -> None:
    heard: list[Any] = []
    signal.signal(number, lambda *_: heard.append(number))
    with ends_on_request():
        pass
    signal.raise_signal(number)
    assert heard == [number]


def test_what_was_ignored_stays_so(number: signal.Signals) -> None:
    """As nohup wants it."""
    signal.signal(number, signal.SIG_IGN)
    with ends_on_request():
        signal.raise_signal(number)
    assert signal.getsignal(number) is signal.SIG_IGN


def test_in_a_thread_of_others_nothing_is_changed(number: signal.Signals) -> None:
    during = []

    def run() -> None:
        with ends_on_request():
            during.append(signal.getsignal(number))

    before = signal.getsignal(number)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert during == [before]


@pytest.mark.parametrize("number", [*REQUESTED, signal.SIGINT], indirect=True)
def test_a_noted_request_breaks_into_nothing(number: signal.Signals) -> None:
    with noted_requests() as asked_to_end:
        assert not asked_to_end()
        signal.raise_signal(number)
        assert asked_to_end()


def test_who_presses_ctrl_c_twice_does_not_want_to_wait() -> None:
    with pytest.raises(KeyboardInterrupt), noted_requests():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
