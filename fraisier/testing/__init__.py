"""A test kit that ships: a machine in memory, a clock that is moved by hand, and power cuts.

`FakeHost` implements `fraisier.model.ports.Host`; the same contract tests run on it and on the real
one. Write a service type or a step of your own against it, cut the power before or after the k-th
effect, and see whether the next cycles converge.
"""

from .clock import FakeClock, FakeInterrupt
from .faults import Faults, PowerCut
from .host import Behaviour, FakeHost
from .store import CuttingStore
from .targets import api_target, config_of

__all__ = [
    "Behaviour",
    "CuttingStore",
    "FakeClock",
    "FakeHost",
    "FakeInterrupt",
    "Faults",
    "PowerCut",
    "api_target",
    "config_of",
]
