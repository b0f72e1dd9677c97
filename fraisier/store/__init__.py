"""The only door to SQL: the store, its lock, and the pipe that wakes the daemon.

The log (`tb_…`) is insert-only and the truth; the projections (`tv_…`) follow from it in the same
transaction; the views (`v_…`) are what is shown. Schema and rules are in `state/sqlite/`.
"""

from .empty import EmptyStore, open_store
from .lock import DaemonLock
from .sqlite import Mode, SqliteStore
from .wake import Waker, drain, poke

__all__ = ["DaemonLock", "EmptyStore", "Mode", "SqliteStore", "Waker", "drain", "open_store", "poke"]
