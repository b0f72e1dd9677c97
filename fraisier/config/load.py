"""Files to a `Config`: parse, check, read, compare. Never raises for what a file says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from fraisier.model.config import ApiTarget, Config, Git, Server
from fraisier.model.names import TargetId

from .branches import read_mapping
from .clashes import check_clashes
from .dependencies import Edges, read_dependencies
from .digests import config_digest, with_digests
from .document import Document, merge, target_ids
from .parse import parse
from .ports import Loaded, Lookup
from .problems import Finding, Mark, Problem, Report, SourceFile, in_order
from .references import Resolver
from .schema import check, schema
from .server import read_git, read_server
from .targets import Draft, Surrounding, check_inherited, read_target
from .view import View
from .windows import Windows, read_windows


def load(sources: Sequence[SourceFile], lookup: Lookup) -> Loaded:
    """The configuration that `sources` are together, as this machine sees it, and every problem in it."""
    report = Report()
    document = _read(sources, report)
    if document is None:
        return Loaded(None, report.problems())
    written = frozenset(target_ids(document.data))
    check(document, report)
    config = _configuration(View(document, report, Resolver(lookup), (), document.data), report, written)
    if any(_is_about_everything(finding) for finding in report.findings):
        return Loaded(None, report.problems())
    held = _held(report, written - config.elsewhere.keys())
    return Loaded(_without(config, held, lookup.secret_key()), report.problems(), held)


def _read(sources: Sequence[SourceFile], report: Report) -> Document | None:
    if not sources:
        report.add(Mark("fraises.yaml", 1, 1), (), "there is no configuration", "`fraisier init` writes one")
    documents = [parse(source, report) for source in sources]
    usable = [document for document in documents if document is not None]
    if not usable or len(usable) < len(sources):
        return None
    return merge([_without_empty_sections(one) for one in usable], report)


def _without_empty_sections(document: Document) -> Document:
    """`fraises:` with everything below it commented out is as good as absent."""
    sections = schema()["properties"]
    document.data = {key: value for key, value in document.data.items() if value is not None or key not in sections}
    return document


def _configuration(root: View, report: Report, written: frozenset[TargetId]) -> Config:
    server, git = read_server(root.at("server")), read_git(root.at("git"))
    mapped, windows = read_mapping(root, written), read_windows(root.at("windows"))
    environments = _environments(root)
    check_inherited(root.at("defaults"), windows)
    for _, fraise in root.at("fraises").entries():
        check_inherited(fraise, windows)
    drafts = {
        target: read_target(view, target, _surrounding(root, server, target, mapped, windows))
        for target, view in environments.items()
    }
    check_clashes(list(drafts.values()), report)
    edges = read_dependencies(environments, drafts, written, server.name)
    return _assemble(server, git, drafts, edges, root.resolver.lookup.secret_key())


def _environments(root: View) -> dict[TargetId, View]:
    return {
        TargetId(name, environment): view
        for name, fraise in root.at("fraises").entries()
        for environment, view in fraise.at("environments").entries()
    }


def _surrounding(
    root: View, server: Server, target: TargetId, mapped: Mapping[TargetId, str], windows: Windows
) -> Surrounding:
    return Surrounding(
        defaults=root.at("defaults"),
        fraise=root.at("fraises").at(target.fraise),
        server=server.name,
        declared_manager=root.at("server").at("service_manager").value,
        mapped=mapped,
        windows=windows,
    )


def _assemble(server: Server, git: Git, drafts: Mapping[TargetId, Draft], edges: Edges, key: bytes) -> Config:
    targets: dict[TargetId, ApiTarget] = {}
    elsewhere: dict[TargetId, tuple[str, ...]] = {}
    for name, draft in drafts.items():
        if not draft.is_on(server.name):
            elsewhere[name] = tuple(sorted(draft.servers or ()))
        elif draft.target is not None:
            targets[name] = with_digests(replace(draft.target, depends_on=tuple(edges[name])), key)
    return Config(server, git, targets, elsewhere)


def _is_about_everything(finding: Finding) -> bool:
    """A mapping line concerns its targets only; below a fraise, that fraise only."""
    if finding.about is not None or finding.path[:1] == ("branch_mapping",):
        return False
    return not (finding.path[:1] == ("fraises",) and len(finding.path) > 1)


def _held(report: Report, here: Collection[TargetId]) -> dict[TargetId, tuple[Problem, ...]]:
    by_fraise: dict[str, list[TargetId]] = defaultdict(list)
    for target in here:
        by_fraise[target.fraise].append(target)
    held: dict[TargetId, list[Problem]] = defaultdict(list)
    for finding in report.findings:
        for target in _held_by(finding, by_fraise):
            held[target].append(finding.problem)
    return {target: in_order(held[target]) for target in sorted(held)}


def _held_by(finding: Finding, by_fraise: Mapping[str, list[TargetId]]) -> list[TargetId]:
    if finding.about is not None:
        return [target for target in by_fraise.get(finding.about.fraise, []) if target == finding.about]
    match finding.path:
        case ("fraises", str(fraise), "environments", str(environment), *_):
            return [target for target in by_fraise.get(fraise, []) if target.environment == environment]
        case ("fraises", str(fraise), *_):
            return by_fraise.get(fraise, [])
        case _:
            return []


def _without(config: Config, held: Mapping[TargetId, object], key: bytes) -> Config:
    targets = {name: target for name, target in config.targets.items() if name not in held}
    return replace(config, targets=targets, digest=config_digest(config.server, config.git, targets, key))
