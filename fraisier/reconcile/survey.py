"""Look at all targets of one remote in one go, after one `ls-remote`.

Most looks find nothing to do; only the targets that want something are woken for a cycle of their
own, which looks again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..model.config import Target
from ..model.errors import StoreError
from ..model.names import TargetId
from ..model.ports import Host
from ..model.records import Store
from ..model.state import Unknown
from ..services.registry import Glimpse
from .desire import Heads, read_heads
from .look import Eyes, Look


@dataclass(frozen=True, slots=True)
class Survey:
    """What one remote answered, and how its targets look."""

    remote: str
    heads: Heads
    looks: tuple[Look, ...]


def survey(
    remote: str,
    targets: Iterable[Target],
    *,
    eyes: Eyes,
    store: Store,
    host: Host,
    glimpse: Glimpse,
    is_busy: Callable[[TargetId], bool],
    newest: Callable[[Target, Heads], Heads],
    report: Callable[[BaseException], None],
) -> Survey:
    """Blocks; runs on a worker thread. Targets whose own cycle runs are left to it.

    `newest` has the last word on the heads: a person's request may have asked the remote since.
    A look that fails by a bug of ours is reported and left out; the others go on (law 11).
    """
    targets = tuple(targets)
    selections = frozenset(eyes.selection(target) for target in targets)
    heads = read_heads(host.git, remote, selections, host.clock.now())
    if not isinstance(heads.answer, Unknown):
        store.save_heads(remote, heads.answer, heads.asked, heads.at)
    asked = [(target, newest(target, heads)) for target in targets if not is_busy(target.id)]
    looks = tuple(_looks(eyes, asked, glimpse, report))
    store.save_status([look.status for look in looks if not is_busy(look.target.id)], host.clock.now())
    return Survey(remote, heads, looks)


def _looks(
    eyes: Eyes, asked: Iterable[tuple[Target, Heads]], glimpse: Glimpse, report: Callable[[BaseException], None]
) -> Iterator[Look]:
    for target, heads in asked:
        try:
            yield eyes.look(target, heads, glimpse=glimpse)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - the edge of a look: the other targets of the remote go on
            report(error)
