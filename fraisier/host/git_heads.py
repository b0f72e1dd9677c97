"""What selections come to: one question to the remote for all of them."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from ..model.errors import ConfigFault, Transient
from ..model.names import SHA
from ..model.selection import Branch, Exact, Pick, Selection, TagRange
from ..model.versions import newest
from .git_door import GitDoor
from .git_names import checked, commit, is_ref

_LISTING_LIMIT = 64 << 20
_SEEN_LIMIT = 10_000
_BRANCHES, _TAGS, _PEELED = "refs/heads/", "refs/tags/", "^{}"

Picks = Mapping[Selection, Pick]


@dataclass(frozen=True, slots=True)
class SeenTag:
    """A tag as the remote has it: the object that bears the signature, and the commit it is of."""

    object: str
    sha: str


class GitHeads:
    def __init__(self, door: GitDoor) -> None:
        self._door = door
        self._guard = threading.Lock()
        self._asking: dict[tuple[str, frozenset[Selection]], Future[Picks]] = {}
        self._seen: dict[tuple[str, str], SeenTag] = {}

    def seen(self, remote: str, tag: str) -> SeenTag | None:
        """The tag as it was when it was last picked. A tag that was signed afterwards is another object."""
        return self._seen.get((remote, tag))

    def ask(self, remote: str, selections: Collection[Selection]) -> Picks:
        """Those who ask the same at the same time share one process and its answer."""
        exact: dict[Selection, Pick] = {
            wanted: Pick("", commit(wanted.sha)) for wanted in selections if isinstance(wanted, Exact)
        }
        others = frozenset(selections).difference(exact)
        return {**exact, **self._shared(remote, others)} if others else exact

    def _shared(self, remote: str, selections: frozenset[Selection]) -> Picks:
        key = (remote, selections)
        with self._guard:
            answer = self._asking.get(key)
            mine = answer is None
            if answer is None:
                answer = self._asking[key] = Future()
        if mine:
            self._answer(key, answer)
        return answer.result()

    def _answer(self, key: tuple[str, frozenset[Selection]], answer: Future[Picks]) -> None:
        try:
            answer.set_result(dict(self._picks(*key)))
        except BaseException as error:  # noqa: BLE001  # all who wait for it get it raised
            answer.set_exception(error)
        finally:
            with self._guard:
                del self._asking[key]

    def _picks(self, remote: str, selections: frozenset[Selection]) -> Iterator[tuple[Selection, Pick]]:
        refs = self._list(remote, selections)
        tags = _tags(refs)
        commits = {name: tag.sha for name, tag in tags.items()}
        for wanted in selections:
            if isinstance(wanted, Branch) and (sha := refs.get(wanted.key)):
                yield wanted, Pick(wanted.name, sha)
            elif isinstance(wanted, TagRange) and (pick := _newest(wanted.range, commits)):
                self._remember(remote, pick.ref, tags[pick.ref])
                yield wanted, pick

    def _list(self, remote: str, selections: Iterable[Selection]) -> dict[str, str]:
        """Object names by full name of the ref; what the object of a tag is of, by the name with `^{}`."""
        branches = sorted(_BRANCHES + checked(wanted.name) for wanted in selections if isinstance(wanted, Branch))
        # git matches patterns after the remote has listed its refs: a narrower one would spare the network nothing.
        tags = [f"{_TAGS}*"] if any(isinstance(wanted, TagRange) for wanted in selections) else []
        kinds = [*(["--heads"] if branches else []), *(["--tags"] if tags else [])]
        ended = self._door.git(
            "ls-remote", *kinds, "--quiet", "--", remote, *branches, *tags, remote=remote, limit=_LISTING_LIMIT
        )
        self._door.accept(remote, ended)
        if len(ended.stdout) >= _LISTING_LIMIT:  # cut off: what is missing is not absent (law 5)
            raise Transient(
                f"{remote} lists more refs than can be read",
                code="listing_too_large",
                hint="tidy up its tags, or follow a branch",
            )
        asked = frozenset(branches)
        return {ref: sha for ref, sha in _listed(ended.stdout) if ref in asked or ref.startswith(_TAGS)}

    def _remember(self, remote: str, tag: str, seen: SeenTag) -> None:
        if len(self._seen) >= _SEEN_LIMIT:
            self._seen.clear()
        self._seen[remote, tag] = seen


def _listed(listing: bytes) -> Iterator[tuple[str, str]]:
    """Full names and objects. Lines end with a newline and with nothing else: git lets names hold characters
    that Python takes for the end of a line too, and a name of several lines could pass for another's.
    """
    for line in listing.split(b"\n"):
        sha, tab, name = line.partition(b"\t")
        try:
            found, ref = sha.decode("ascii"), name.decode()
        except UnicodeDecodeError:
            continue
        if tab and SHA.fullmatch(found) and ref.isprintable():
            yield ref, found


def _newest(range: str, commits: Mapping[str, str]) -> Pick | None:
    try:
        return newest(range, commits)
    except ValueError as error:
        raise ConfigFault(
            str(error), code="tag_range", hint="write a range of versions, such as v1.* or ^1.4"
        ) from None


def _tags(refs: Mapping[str, str]) -> dict[str, SeenTag]:
    """Tags by short name, those whose names may be handed to git later."""
    names = (ref.removeprefix(_TAGS) for ref in refs if ref.startswith(_TAGS) and not ref.endswith(_PEELED))
    return {
        name: SeenTag(refs[_TAGS + name], refs.get(_TAGS + name + _PEELED, refs[_TAGS + name]))
        for name in names
        if is_ref(name)
    }
