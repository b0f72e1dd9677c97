from __future__ import annotations

import threading
import time

import pytest

from fraisier.host.interrupt import Interruption
from fraisier.model.errors import Interrupted


def test_a_wait_ends_at_once_when_it_is_set_in_another_thread() -> None:
    interrupt = Interruption()
    threading.Timer(0.05, interrupt.set, ("superseded", "main moved")).start()
    began = time.monotonic()

    with pytest.raises(Interrupted) as caught:
        interrupt.wait(60)

    assert caught.value.because == "superseded"
    assert str(caught.value) == "main moved"
    assert time.monotonic() - began < 5


def test_a_wait_that_is_not_interrupted_returns() -> None:
    Interruption().wait(0.001)


def test_the_first_reason_stays() -> None:
    interrupt = Interruption()
    interrupt.set("cancelled")
    interrupt.set("stopping")

    with pytest.raises(Interrupted) as caught:
        interrupt.check()

    assert caught.value.because == "cancelled"


def test_a_watch_is_woken_once_and_at_once_when_it_was_set_before() -> None:
    interrupt, wakes = Interruption(), []

    with interrupt.watch(lambda: wakes.append("first")):
        interrupt.set("stopping")
    with interrupt.watch(lambda: wakes.append("second")):
        pass

    assert wakes == ["first", "second"]


def test_nothing_is_woken_after_its_watch_has_ended() -> None:
    interrupt, wakes = Interruption(), []
    with interrupt.watch(lambda: wakes.append("late")):
        pass

    interrupt.set("stopping")

    assert wakes == []
