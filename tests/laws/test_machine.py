"""Whatever happens, in whatever order, cut off at whatever effect: the laws hold, and in the end it converges.

The store is the real one on a real file, the reconciler is the real one; the machine is in memory
and outlives each power cut. What may happen is in `machine_rules`, what must hold of every cycle in
`machine_watch`, and what must hold always and in the end in `machine_world`.
"""

from __future__ import annotations

import pytest

from tests.laws.machine_rules import Cycles, Hands, Others, People
from tests.support.profiles import examples


class Everything(Others, Hands, People, Cycles):
    """All of it at once."""


class Releases(Others, Cycles):
    """New revisions, good and bad, and a daemon that dies: deep where `Everything` is wide."""


class Arrangements(Others, People, Cycles):
    """Suspensions, pins, trials, approvals and windows around new revisions."""


TestEverything = pytest.mark.timeout(3600)(Everything.TestCase)  # the thorough leg takes minutes
TestReleases = pytest.mark.timeout(3600)(Releases.TestCase)
TestArrangements = pytest.mark.timeout(3600)(Arrangements.TestCase)
TestEverything.settings = examples(15, 300, steps=40)
TestReleases.settings = examples(8, 150, steps=30)
TestArrangements.settings = examples(8, 150, steps=30)
