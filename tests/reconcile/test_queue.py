"""Law 1: wake-ups say only "look". However many there are, they cost at most one more cycle."""

from __future__ import annotations

import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fraisier.model.names import TargetId
from fraisier.reconcile.queue import Wake, WakeQueue
from tests.support.profiles import examples

SHOP = TargetId("shop", "production")
BLOG = TargetId("blog", "production")


def test_a_thousand_wakes_during_a_cycle_cause_exactly_one_more() -> None:
    queue = WakeQueue()
    queue.wake(SHOP, "start")
    assert queue.take() == Wake(SHOP, "start")

    for _ in range(1000):
        queue.wake(SHOP, "webhook")

    assert queue.take() is None
    assert queue.done(SHOP)
    assert queue.take() == Wake(SHOP, "webhook")
    assert not queue.done(SHOP)
    assert queue.take() is None


def test_a_thousand_wakes_before_a_cycle_are_one() -> None:
    queue = WakeQueue()

    for _ in range(1000):
        queue.wake(SHOP, "poll")

    assert len(queue) == 1


def test_a_request_is_what_history_tells_of() -> None:
    queue = WakeQueue()

    queue.wake(SHOP, "poll")
    queue.wake(SHOP, "request")
    queue.wake(SHOP, "webhook")

    assert queue.take() == Wake(SHOP, "request")


def test_the_one_that_waits_longest_is_first() -> None:
    queue = WakeQueue()

    queue.wake(SHOP, "poll")
    queue.wake(BLOG, "poll")
    queue.wake(SHOP, "request")

    assert [queue.take(), queue.take()] == [Wake(SHOP, "request"), Wake(BLOG, "poll")]


def test_from_many_threads_no_wake_is_lost_and_no_target_has_two_cycles_at_once() -> None:
    queue, targets = WakeQueue(), [TargetId(f"t{number}", "production") for number in range(8)]
    facts: dict[TargetId, int] = dict.fromkeys(targets, 0)
    seen: dict[TargetId, int] = dict.fromkeys(targets, 0)
    at_work: Counter[TargetId] = Counter()
    doubled: list[TargetId] = []
    guard, finished = threading.Lock(), threading.Event()

    def wakes(number: int) -> None:
        for turn in range(400):
            target = targets[(number + turn) % len(targets)]
            with guard:
                facts[target] += 1
            queue.wake(target, "poll")

    def works() -> None:
        while not (finished.is_set() and len(queue) == 0):
            wake = queue.take()
            if wake is None:
                continue
            with guard:
                at_work[wake.target] += 1
                doubled.extend([wake.target] if at_work[wake.target] > 1 else [])
                seen[wake.target] = facts[wake.target]
            with guard:
                at_work[wake.target] -= 1
            queue.done(wake.target)

    with ThreadPoolExecutor(8) as pool:
        workers = [pool.submit(works) for _ in range(4)]
        deque(pool.map(wakes, range(4)), maxlen=0)
        finished.set()
        for worker in workers:
            worker.result(timeout=30)

    assert doubled == []
    assert seen == facts, "what was woken for last was looked at after"


class Model(RuleBasedStateMachine):
    """Against the plainest thing that keeps the rule: a list of who waits, and who is dirty."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = WakeQueue()
        self.waiting: list[TargetId] = []
        self.running: dict[TargetId, bool] = {}

    @rule(woken=st.sampled_from([SHOP, BLOG]), trigger=st.sampled_from(["poll", "webhook", "request"]))
    def wake(self, woken: TargetId, trigger: str) -> None:
        self.queue.wake(woken, trigger)  # type: ignore[arg-type]
        if woken in self.running:
            self.running[woken] = True
        elif woken not in self.waiting:
            self.waiting.append(woken)

    @rule()
    def take(self) -> None:
        taken = self.queue.take()
        assert (taken.target if taken else None) == (self.waiting[0] if self.waiting else None)
        if self.waiting:
            self.running[self.waiting.pop(0)] = False

    @rule(ended=st.sampled_from([SHOP, BLOG]))
    def done(self, ended: TargetId) -> None:
        if ended not in self.running:
            return
        dirty = self.running.pop(ended)
        assert self.queue.done(ended) is dirty
        if dirty:
            self.waiting.append(ended)

    @invariant()
    def agrees(self) -> None:
        assert len(self.queue) == len(self.waiting) + len(self.running)
        assert {t for t in (SHOP, BLOG) if self.queue.is_running(t)} == self.running.keys()


TestModel = Model.TestCase
TestModel.settings = examples(40)
