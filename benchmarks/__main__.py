"""`python -m benchmarks [--quick | --all] [ROW …]`: measures and writes RESULTS.md."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from . import isolation, memory, past, planning, push, start_up, survey
from .figures import Effort, Row
from .report import render

ROWS: Mapping[str, Callable[[Effort], Row]] = {
    "start": start_up.measure,
    "push": push.measure,
    "polling": survey.measure,
    "isolation": isolation.measure,
    "planning": planning.measure,
    "memory": memory.measure,
}
LONG: Mapping[str, Callable[[Effort], Row]] = {"past": past.measure}
"""Minutes each; with `--all`, or by name."""

RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of: {', '.join([*ROWS, *LONG])}")
    parser.add_argument("--quick", action="store_true", help="small and few, to see that everything still measures")
    parser.add_argument("--all", action="store_true", help="also what takes minutes to prepare")
    parser.add_argument(
        "--out", type=Path, help="where the page goes; by default RESULTS.md for a whole run, else shown"
    )
    given = parser.parse_args()
    known = {**ROWS, **LONG}
    if unknown := [name for name in given.rows if name not in known]:
        parser.error(f"there is no row {unknown[0]!r}; there are: {', '.join(known)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    chosen = given.rows or [*ROWS, *(LONG if given.all else ())]
    rows = [_measure(name, known[name], Effort(given.quick)) for name in chosen]
    whole = not given.rows and not given.quick
    page = render(rows, " ".join(["python -m benchmarks", *sys.argv[1:]]))
    out = given.out or (RESULTS if whole else None)
    if out is None:
        print(page)
    else:
        out.write_text(page)
        print(f"written: {out}")


def _measure(name: str, measure: Callable[[Effort], Row], effort: Effort) -> Row:
    begin = time.perf_counter()
    row = measure(effort)
    print(f"{name}: {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    return row


main()
