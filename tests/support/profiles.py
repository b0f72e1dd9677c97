"""How hard hypothesis tries: a moment by default, long with `FRAISIER_THOROUGH=1`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

THOROUGH = os.environ.get("FRAISIER_THOROUGH") == "1"


def examples(few: int, many: int | None = None, *, steps: int = 50) -> settings:
    """`few` examples, or `many` (twenty times as many by default) when thorough.

    No deadline per example, for other work on the machine may slow any of them down; `too_slow` is
    left out for the same reason. `derandomize` stays off: every run tries something new.
    """
    count = (many or few * 20) if THOROUGH else few
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=False,
        stateful_step_count=steps,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
