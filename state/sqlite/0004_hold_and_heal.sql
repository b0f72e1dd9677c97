-- What people arrange (suspensions, pins, trials, approvals), what was made (inventory), repairs, and figures
-- over time. The log stays as it is and gains indexes; projections whose shape changes are made anew and filled
-- by playing the journal again, at the end.

DROP VIEW v_fraise_status;
DROP VIEW v_deployment_history;
DROP VIEW v_deployment_stats;

-- Observations ----------------------------------------------------------------------------------

ALTER TABLE tv_fraise_status ADD COLUMN held_by TEXT NOT NULL DEFAULT '[]';
ALTER TABLE tv_fraise_status ADD COLUMN drift TEXT NOT NULL DEFAULT '[]';
ALTER TABLE tv_fraise_status ADD COLUMN suspended TEXT;
ALTER TABLE tv_fraise_status ADD COLUMN override TEXT;

ALTER TABLE tv_heads RENAME TO tv_heads_of_branches;
CREATE TABLE tv_heads (
    remote    TEXT NOT NULL,
    selection TEXT NOT NULL,              -- key of the selection: refs/heads/main, tag:v1.*, commit:…
    ref       TEXT NOT NULL,              -- short name of the branch or tag it came to
    sha       TEXT NOT NULL,
    seen_at   TEXT NOT NULL,
    PRIMARY KEY (remote, selection)
) STRICT, WITHOUT ROWID;
INSERT INTO tv_heads (remote, selection, ref, sha, seen_at)
SELECT remote, 'refs/heads/' || branch, branch, sha, seen_at FROM tv_heads_of_branches;
DROP TABLE tv_heads_of_branches;

-- The log ---------------------------------------------------------------------------------------

-- Everything but the noise of attempts, by moment: what was so at a given time is read off here. A query uses it
-- when it says the same `NOT IN`.
CREATE INDEX tb_deployment_events_by_kind ON tb_deployment_events (identifier, kind, at)
    WHERE kind NOT IN ('step_started', 'step_finished', 'step_failed', 'note', 'request_taken', 'request_answered');
-- What people arranged, among everything else (ARRANGED of fraisier/model/records.py).
CREATE INDEX tb_deployment_events_arranged ON tb_deployment_events (at, pk_deployment_event)
    WHERE kind IN ('suspended', 'resumed', 'pinned', 'unpinned', 'approved', 'emergency', 'lifted', 'rewind_accepted',
        'quarantined', 'removed');
-- A service is stopped by the step of that name and by nothing else.
CREATE INDEX tb_deployment_events_stopped ON tb_deployment_events (identifier, at)
    WHERE kind = 'step_finished' AND step = 'stop';

-- Projections -----------------------------------------------------------------------------------

DROP TABLE tv_targets;
CREATE TABLE tv_targets (
    identifier        TEXT PRIMARY KEY,
    id                TEXT NOT NULL,
    attempted         TEXT,
    healthy           TEXT,
    last_converged_at TEXT,
    first_started_at  TEXT,
    last_finished_at  TEXT,
    failing_since     TEXT                -- end of the first attempt that failed for good since it last converged
) STRICT;

DROP TABLE tv_deployments;
CREATE TABLE tv_deployments (
    pk_deployment INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    identifier    TEXT NOT NULL,
    action        TEXT NOT NULL,
    ref           TEXT NOT NULL,
    from_revision TEXT,
    to_revision   TEXT,
    config_digest TEXT NOT NULL,
    "trigger"     TEXT NOT NULL,
    requested_by  TEXT NOT NULL,
    status        TEXT NOT NULL,          -- running, or the outcome
    attempts      INTEGER NOT NULL,
    retried       INTEGER NOT NULL,       -- 1 when the last attempt's wish is tried again by itself
    error_code    TEXT NOT NULL,
    message       TEXT NOT NULL,
    started_at    TEXT NOT NULL,
    finished_at   TEXT,
    lead_ms       INTEGER NOT NULL,       -- first start to last end, waits between attempts included
    busy_ms       INTEGER NOT NULL,       -- sum over the attempts
    commit_ms     INTEGER,                -- from the commit to the proof of it, where that is known
    restore_ms    INTEGER                 -- from the failure that this deployment ended, if it did
) STRICT;
CREATE INDEX tv_deployments_by_identifier ON tv_deployments (identifier, pk_deployment);
-- Any choice of actions and outcomes is a handful of lookups in one of these, each in the order of the pages.
CREATE INDEX tv_deployments_by_action ON tv_deployments (action, status, pk_deployment);
CREATE INDEX tv_deployments_by_action_of_one ON tv_deployments (identifier, action, status, pk_deployment);
CREATE INDEX tv_deployments_by_revision ON tv_deployments (to_revision, pk_deployment);
CREATE INDEX tv_deployments_by_start ON tv_deployments (started_at);

DROP TABLE tv_deployment_stats;
-- A deployment counts on the UTC day of its first start, and in the row without a day, which is the sum of all.
CREATE TABLE tv_deployment_days (
    identifier  TEXT NOT NULL,
    day         TEXT NOT NULL,
    action      TEXT NOT NULL,
    status      TEXT NOT NULL,
    deployments INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    busy_ms     INTEGER NOT NULL,
    longest_ms  INTEGER NOT NULL,         -- the most busy_ms of one
    commits     INTEGER NOT NULL,         -- those with a commit_ms, and its sum
    commit_ms   INTEGER NOT NULL,
    restores    INTEGER NOT NULL,         -- those with a restore_ms, and its sum
    restore_ms  INTEGER NOT NULL,
    PRIMARY KEY (identifier, day, action, status)
) STRICT, WITHOUT ROWID;

DROP TABLE tv_healthy;
CREATE TABLE tv_healthy (
    identifier     TEXT NOT NULL,
    sha            TEXT NOT NULL,
    build_digest   TEXT NOT NULL,
    runtime_digest TEXT NOT NULL,
    ref            TEXT NOT NULL,
    release        TEXT NOT NULL,
    is_chosen      INTEGER NOT NULL,      -- 1: proven while a person had pinned or tried it
    at             TEXT NOT NULL,
    fk_deployment_event INTEGER NOT NULL, -- of the last proof: the order of newness
    PRIMARY KEY (identifier, sha, build_digest, runtime_digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE tv_suspensions (
    scope        TEXT PRIMARY KEY,        -- a target, `my_api/*` or `*/*`
    reason       TEXT NOT NULL,
    suspended_by TEXT NOT NULL,
    at           TEXT NOT NULL,
    until        TEXT,
    stop         INTEGER NOT NULL
) STRICT;

CREATE TABLE tv_overrides (
    identifier TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,             -- pin or try
    selection  TEXT NOT NULL CHECK (json_valid(selection)),
    chosen_by  TEXT NOT NULL,
    at         TEXT NOT NULL,
    reason     TEXT NOT NULL,
    until      TEXT
) STRICT;

CREATE TABLE tv_approvals (
    identifier  TEXT PRIMARY KEY,
    hash        TEXT NOT NULL,
    approved_by TEXT NOT NULL,
    at          TEXT NOT NULL
) STRICT;

CREATE TABLE tv_emergencies (
    identifier TEXT PRIMARY KEY,
    sha        TEXT NOT NULL,
    reason     TEXT NOT NULL,
    allowed_by TEXT NOT NULL,
    at         TEXT NOT NULL
) STRICT;

CREATE TABLE tv_repairs (
    fk_deployment_event INTEGER PRIMARY KEY,
    identifier          TEXT NOT NULL,
    at                  TEXT NOT NULL
) STRICT;
CREATE INDEX tv_repairs_by_identifier ON tv_repairs (identifier, fk_deployment_event);

CREATE TABLE tv_inventory (
    identifier     TEXT PRIMARY KEY,
    type           TEXT NOT NULL,
    app_path       TEXT NOT NULL,
    unit           TEXT NOT NULL,
    runtime_digest TEXT NOT NULL,
    depends_on     TEXT NOT NULL CHECK (json_valid(depends_on)),
    at             TEXT NOT NULL
) STRICT;

-- Counting deployments --------------------------------------------------------------------------

CREATE TRIGGER tv_deployments_count AFTER INSERT ON tv_deployments
BEGIN
    INSERT INTO tv_deployment_days (identifier, day, action, status, deployments, attempts, busy_ms, longest_ms,
        commits, commit_ms, restores, restore_ms)
    SELECT NEW.identifier, days.value, NEW.action, NEW.status, 1, NEW.attempts, NEW.busy_ms, NEW.busy_ms,
        NEW.commit_ms IS NOT NULL, ifnull(NEW.commit_ms, 0), NEW.restore_ms IS NOT NULL, ifnull(NEW.restore_ms, 0)
    FROM json_each(json_array('', substr(NEW.started_at, 1, 10))) days
    WHERE true
    ON CONFLICT (identifier, day, action, status) DO UPDATE SET
        deployments = deployments + 1, attempts = attempts + excluded.attempts,
        busy_ms = busy_ms + excluded.busy_ms, longest_ms = max(longest_ms, excluded.longest_ms),
        commits = commits + excluded.commits, commit_ms = commit_ms + excluded.commit_ms,
        restores = restores + excluded.restores, restore_ms = restore_ms + excluded.restore_ms;
END;

CREATE TRIGGER tv_deployments_recount AFTER UPDATE ON tv_deployments
BEGIN
    UPDATE tv_deployment_days SET
        deployments = deployments - 1, attempts = attempts - OLD.attempts, busy_ms = busy_ms - OLD.busy_ms,
        commits = commits - (OLD.commit_ms IS NOT NULL), commit_ms = commit_ms - ifnull(OLD.commit_ms, 0),
        restores = restores - (OLD.restore_ms IS NOT NULL), restore_ms = restore_ms - ifnull(OLD.restore_ms, 0)
    WHERE identifier = OLD.identifier AND day IN ('', substr(OLD.started_at, 1, 10))
        AND action = OLD.action AND status = OLD.status;
    DELETE FROM tv_deployment_days
    WHERE identifier = OLD.identifier AND day IN ('', substr(OLD.started_at, 1, 10))
        AND action = OLD.action AND status = OLD.status AND deployments = 0;
    INSERT INTO tv_deployment_days (identifier, day, action, status, deployments, attempts, busy_ms, longest_ms,
        commits, commit_ms, restores, restore_ms)
    SELECT NEW.identifier, days.value, NEW.action, NEW.status, 1, NEW.attempts, NEW.busy_ms, NEW.busy_ms,
        NEW.commit_ms IS NOT NULL, ifnull(NEW.commit_ms, 0), NEW.restore_ms IS NOT NULL, ifnull(NEW.restore_ms, 0)
    FROM json_each(json_array('', substr(NEW.started_at, 1, 10))) days
    WHERE true
    ON CONFLICT (identifier, day, action, status) DO UPDATE SET
        deployments = deployments + 1, attempts = attempts + excluded.attempts,
        busy_ms = busy_ms + excluded.busy_ms, longest_ms = max(longest_ms, excluded.longest_ms),
        commits = commits + excluded.commits, commit_ms = commit_ms + excluded.commit_ms,
        restores = restores + excluded.restores, restore_ms = restore_ms + excluded.restore_ms;
END;

-- Rules that hang on the journal ----------------------------------------------------------------

DROP TRIGGER project_converged;
CREATE TRIGGER project_converged INSTEAD OF INSERT ON projector
WHEN NEW.kind = 'attempt_closed' AND json_extract(NEW.data, '$.outcome') = 'converged'
BEGIN
    -- A target that is taken down while it fails is not restored by that.
    UPDATE tv_deployments SET restore_ms = (
        SELECT max(0, CAST(round((julianday(NEW.at) - julianday(failing_since)) * 86400000) AS INTEGER))
        FROM tv_targets WHERE identifier = NEW.identifier)
    WHERE pk_deployment = NEW.fk_deployment AND action <> 'remove'
        AND (SELECT failing_since FROM tv_targets WHERE identifier = NEW.identifier) IS NOT NULL;

    UPDATE tv_targets SET last_converged_at = NEW.at, failing_since = NULL WHERE identifier = NEW.identifier;
END;

DROP TRIGGER project_proven_healthy;
CREATE TRIGGER project_proven_healthy INSTEAD OF INSERT ON projector WHEN NEW.kind = 'proven_healthy'
BEGIN
    INSERT INTO tv_targets (identifier, id, healthy)
    VALUES (NEW.identifier, NEW.id, json_extract(NEW.data, '$.sha'))
    ON CONFLICT (identifier) DO UPDATE SET healthy = excluded.healthy;

    INSERT INTO tv_healthy (
        identifier, sha, build_digest, runtime_digest, ref, release, is_chosen, at, fk_deployment_event)
    VALUES (NEW.identifier, json_extract(NEW.data, '$.sha'), json_extract(NEW.data, '$.build_digest'),
            json_extract(NEW.data, '$.runtime_digest'), json_extract(NEW.data, '$.ref'),
            json_extract(NEW.data, '$.release'), ifnull(json_extract(NEW.data, '$.is_chosen'), 0),
            json_extract(NEW.data, '$.at'), NEW.pk_deployment_event)
    ON CONFLICT (identifier, sha, build_digest, runtime_digest) DO UPDATE SET
        ref = excluded.ref, release = excluded.release, is_chosen = excluded.is_chosen, at = excluded.at,
        fk_deployment_event = excluded.fk_deployment_event;

    -- HEALTHY_KEPT of fraisier/model/state.py; and, however long a trial lasts, what the next head of the branch
    -- has to descend from.
    DELETE FROM tv_healthy WHERE identifier = NEW.identifier AND fk_deployment_event <= (
        SELECT fk_deployment_event FROM tv_healthy WHERE identifier = NEW.identifier
        ORDER BY fk_deployment_event DESC LIMIT 1 OFFSET 20)
    AND fk_deployment_event <> ifnull((
        SELECT max(fk_deployment_event) FROM tv_healthy WHERE identifier = NEW.identifier AND is_chosen = 0), 0);

    -- A second push that rewinds to the same commit is asked about again.
    DELETE FROM tv_rewinds WHERE identifier = NEW.identifier;
END;

-- Lead time for changes: of new code only, and not of the older revision that a failure returned to.
CREATE TRIGGER project_lead_time INSTEAD OF INSERT ON projector
WHEN NEW.kind = 'proven_healthy' AND json_extract(NEW.data, '$.committed_at') IS NOT NULL
BEGIN
    UPDATE tv_deployments SET commit_ms = max(0, CAST(round((
        julianday(json_extract(NEW.data, '$.at')) - julianday(json_extract(NEW.data, '$.committed_at'))
    ) * 86400000) AS INTEGER))
    WHERE pk_deployment = NEW.fk_deployment AND action = 'deploy' AND to_revision = json_extract(NEW.data, '$.sha');
END;

CREATE TRIGGER project_repaired INSTEAD OF INSERT ON projector
WHEN NEW.kind = 'attempt_closed' AND json_extract(NEW.data, '$.outcome') = 'converged'
BEGIN
    DELETE FROM tv_repairs WHERE identifier = NEW.identifier
        AND (SELECT action FROM tb_deployments WHERE pk_deployment = NEW.fk_deployment) <> 'repair';

    INSERT INTO tv_repairs (fk_deployment_event, identifier, at)
    SELECT NEW.pk_deployment_event, NEW.identifier, NEW.at FROM tb_deployments
    WHERE pk_deployment = NEW.fk_deployment AND action = 'repair'
        AND json_extract(plan, '$.reasons[0].field') IS NOT NULL;  -- of drift, and not of what we stopped ourselves

    -- REPAIRS_KEPT of fraisier/model/state.py
    DELETE FROM tv_repairs WHERE identifier = NEW.identifier AND fk_deployment_event <= (
        SELECT fk_deployment_event FROM tv_repairs WHERE identifier = NEW.identifier
        ORDER BY fk_deployment_event DESC LIMIT 1 OFFSET 100);
END;

-- An interrupted attempt leaves its gate and the wish for force to the attempt that goes on; what a person
-- cancelled goes on with nothing.
DROP TRIGGER project_settled;
CREATE TRIGGER project_settled INSTEAD OF INSERT ON projector
WHEN NEW.kind = 'attempt_closed' AND (
    json_extract(NEW.data, '$.outcome') <> 'interrupted' OR json_extract(NEW.data, '$.error_code') = 'cancelled')
BEGIN
    DELETE FROM tv_gates WHERE identifier = NEW.identifier;
    DELETE FROM tv_forced WHERE identifier = NEW.identifier;
END;

CREATE TRIGGER project_repairs_lifted INSTEAD OF INSERT ON projector WHEN NEW.kind = 'lifted'
BEGIN
    DELETE FROM tv_repairs WHERE identifier = NEW.identifier;
END;

CREATE TRIGGER project_suspended INSTEAD OF INSERT ON projector WHEN NEW.kind = 'suspended'
BEGIN
    DELETE FROM tv_suspensions WHERE scope = NEW.identifier;
    INSERT INTO tv_suspensions (scope, reason, suspended_by, at, until, stop)
    VALUES (NEW.identifier, NEW.message, json_extract(NEW.data, '$.by'), NEW.at,
            json_extract(NEW.data, '$.until'), json_extract(NEW.data, '$.stop'));
END;

-- Of the scope itself and of every narrower one.
CREATE TRIGGER project_resumed INSTEAD OF INSERT ON projector WHEN NEW.kind = 'resumed'
BEGIN
    DELETE FROM tv_suspensions WHERE NEW.identifier IN (scope, substr(scope, 1, instr(scope, '/')) || '*', '*/*');
END;

CREATE TRIGGER project_pinned INSTEAD OF INSERT ON projector WHEN NEW.kind = 'pinned'
BEGIN
    DELETE FROM tv_overrides WHERE identifier = NEW.identifier;
    INSERT INTO tv_overrides (identifier, kind, selection, chosen_by, at, reason, until)
    VALUES (NEW.identifier, json_extract(NEW.data, '$.kind'), json_extract(NEW.data, '$.selection'),
            json_extract(NEW.data, '$.by'), NEW.at, NEW.message, json_extract(NEW.data, '$.until'));
END;

CREATE TRIGGER project_unpinned INSTEAD OF INSERT ON projector WHEN NEW.kind = 'unpinned'
BEGIN
    DELETE FROM tv_overrides WHERE identifier = NEW.identifier;
END;

CREATE TRIGGER project_approved INSTEAD OF INSERT ON projector WHEN NEW.kind = 'approved'
BEGIN
    DELETE FROM tv_approvals WHERE identifier = NEW.identifier;
    INSERT INTO tv_approvals (identifier, hash, approved_by, at)
    VALUES (NEW.identifier, json_extract(NEW.data, '$.hash'), json_extract(NEW.data, '$.by'), NEW.at);
END;

CREATE TRIGGER project_emergency INSTEAD OF INSERT ON projector WHEN NEW.kind = 'emergency'
BEGIN
    DELETE FROM tv_emergencies WHERE identifier = NEW.identifier;
    INSERT INTO tv_emergencies (identifier, sha, reason, allowed_by, at)
    VALUES (NEW.identifier, json_extract(NEW.data, '$.sha'), NEW.message, json_extract(NEW.data, '$.by'), NEW.at);
END;

-- What is tried again by itself is not over.
CREATE TRIGGER project_emergency_over INSTEAD OF INSERT ON projector
WHEN NEW.kind = 'attempt_closed' AND json_extract(NEW.data, '$.outcome') IN ('converged', 'failed', 'rolled_back')
    AND json_extract(NEW.data, '$.retried') = 0
BEGIN
    DELETE FROM tv_emergencies WHERE identifier = NEW.identifier
        AND sha = (SELECT to_revision FROM tb_deployments WHERE pk_deployment = NEW.fk_deployment);
END;

CREATE TRIGGER project_inventoried INSTEAD OF INSERT ON projector WHEN NEW.kind = 'inventoried'
BEGIN
    DELETE FROM tv_inventory WHERE identifier = NEW.identifier;
    INSERT INTO tv_inventory (identifier, type, app_path, unit, runtime_digest, depends_on, at)
    VALUES (NEW.identifier, json_extract(NEW.data, '$.type'), json_extract(NEW.data, '$.app_path'),
            json_extract(NEW.data, '$.unit'), json_extract(NEW.data, '$.runtime_digest'),
            json_extract(NEW.data, '$.depends_on'), NEW.at);
END;

-- Nothing of the target is left. What was found bad, and by whom it is suspended, outlives it.
CREATE TRIGGER project_removed INSTEAD OF INSERT ON projector WHEN NEW.kind = 'removed'
BEGIN
    UPDATE tv_targets SET healthy = NULL WHERE identifier = NEW.identifier;
    DELETE FROM tv_inventory WHERE identifier = NEW.identifier;
    DELETE FROM tv_healthy WHERE identifier = NEW.identifier;
    DELETE FROM tv_back_off WHERE identifier = NEW.identifier;
    DELETE FROM tv_gates WHERE identifier = NEW.identifier;
    DELETE FROM tv_overrides WHERE identifier = NEW.identifier;
    DELETE FROM tv_approvals WHERE identifier = NEW.identifier;
    DELETE FROM tv_emergencies WHERE identifier = NEW.identifier;
    DELETE FROM tv_rewinds WHERE identifier = NEW.identifier;
    DELETE FROM tv_repairs WHERE identifier = NEW.identifier;
END;

-- Views -----------------------------------------------------------------------------------------

CREATE VIEW v_fraise_status AS
SELECT
    s.id,
    s.identifier,
    substr(s.identifier, 1, instr(s.identifier, '/') - 1) AS fraise,
    substr(s.identifier, instr(s.identifier, '/') + 1) AS environment,
    s.type,
    s.sync,
    s.health,
    iif(o.identifier IS NULL, 'idle', 'running') AS operation,
    s.reason_code,
    s.since,
    s.updated_at,
    json_object(
        'identifier', s.identifier,
        'fraise', substr(s.identifier, 1, instr(s.identifier, '/') - 1),
        'environment', substr(s.identifier, instr(s.identifier, '/') + 1),
        'type', s.type,
        'ref', s.ref,
        'desired', s.desired,
        'attempted', t.attempted,
        'healthy', t.healthy,
        'running', s.running,
        'sync', s.sync,
        'health', s.health,
        'operation', iif(o.identifier IS NULL, 'idle', 'running'),
        'reason', json_object('code', s.reason_code, 'message', s.reason_message),
        'to_go_on', s.to_go_on,
        'held_by', json(s.held_by),
        'drift', json(s.drift),
        'suspended', json(s.suspended),
        'override', json(s.override),
        'since', s.since,
        'last_converged_at', t.last_converged_at,
        'updated_at', s.updated_at
    ) AS data
FROM tv_fraise_status s
LEFT JOIN tv_targets t ON t.identifier = s.identifier
LEFT JOIN tv_open_attempts o ON o.identifier = s.identifier;

CREATE VIEW v_deployment_history AS
SELECT
    pk_deployment,
    id,
    identifier,
    substr(identifier, 1, instr(identifier, '/') - 1) AS fraise,
    substr(identifier, instr(identifier, '/') + 1) AS environment,
    action,
    status,
    nullif(status, 'running') AS outcome,
    "trigger",
    requested_by,
    to_revision,
    started_at,
    finished_at,
    json_object(
        'id', id,
        'identifier', identifier,
        'fraise', substr(identifier, 1, instr(identifier, '/') - 1),
        'environment', substr(identifier, instr(identifier, '/') + 1),
        'action', action,
        'ref', ref,
        'from_revision', from_revision,
        'to_revision', to_revision,
        'config_digest', config_digest,
        'trigger', "trigger",
        'requested_by', requested_by,
        'status', status,
        'outcome', nullif(status, 'running'),
        'error_code', error_code,
        'message', message,
        'because', (
            SELECT json_group_array(json_extract(r.value, '$.message'))
            FROM tb_deployments d, json_each(d.plan, '$.reasons') r WHERE d.pk_deployment = tv_deployments.pk_deployment),
        'retried', json(iif(retried, 'true', 'false')),
        'attempts', attempts,
        'started_at', started_at,
        'finished_at', finished_at,
        'duration_s', iif(finished_at IS NULL, NULL, lead_ms / 1000.0),
        'lead_time_s', commit_ms / 1000.0
    ) AS data
FROM tv_deployments;

-- One row per target and window. Changes are deployments that bring new code or configuration; repairs and
-- returns are none. The last 24 hours are read from the deployments themselves, longer windows from whole UTC
-- days, all time from the sums. The argument of json_each is what makes the sums once per row and lets filters
-- on `identifier` and `window` reach the tables: SQLite pushes none of them into a GROUP BY over a UNION ALL.
CREATE VIEW v_deployment_stats AS
WITH windows ("window", since, first_day, last_day) AS (
    SELECT '24h', strftime('%Y-%m-%dT%H:%M:%f', 'now', '-1 day') || '000Z', NULL, NULL
    UNION ALL SELECT '7d', date('now', '-7 days') || 'T00:00:00.000000Z', date('now', '-7 days'), '9999'
    UNION ALL SELECT '30d', date('now', '-30 days') || 'T00:00:00.000000Z', date('now', '-30 days'), '9999'
    UNION ALL SELECT '90d', date('now', '-90 days') || 'T00:00:00.000000Z', date('now', '-90 days'), '9999'
    UNION ALL SELECT 'all', '', '', ''
)
SELECT
    t.id,
    t.identifier,
    substr(t.identifier, 1, instr(t.identifier, '/') - 1) AS fraise,
    substr(t.identifier, instr(t.identifier, '/') + 1) AS environment,
    w."window",
    json_object(
        'identifier', t.identifier,
        'fraise', substr(t.identifier, 1, instr(t.identifier, '/') - 1),
        'environment', substr(t.identifier, instr(t.identifier, '/') + 1),
        'window', w."window",
        'since', iif(w.since = '', t.first_started_at, w.since),
        'deployments', s.value ->> 'deployments',
        'changes', s.value ->> 'changes',
        'attempts', s.value ->> 'attempts',
        'running', s.value ->> 'running',
        'converged', s.value ->> 'converged',
        'failed', s.value ->> 'failed',
        'rolled_back', s.value ->> 'rolled_back',
        'interrupted', s.value ->> 'interrupted',
        'superseded', s.value ->> 'superseded',
        'repairs', s.value ->> 'repairs',
        'success_rate', (s.value ->> 'converged') * 1.0 / nullif(
            (s.value ->> 'converged') + (s.value ->> 'failed') + (s.value ->> 'rolled_back'), 0),
        'average_duration_s', (s.value ->> 'converged_ms') / 1000.0 / nullif(s.value ->> 'converged', 0),
        'longest_duration_s', (s.value ->> 'longest_ms') / 1000.0,
        'deployments_per_day', (s.value ->> 'changes') / max(1.0, ifnull(
            julianday('now') - julianday(max(w.since, t.first_started_at)), 1.0)),
        'average_lead_time_s', (s.value ->> 'commit_ms') / 1000.0 / nullif(s.value ->> 'commits', 0),
        'change_failure_rate', (s.value ->> 'bad_changes') * 1.0 / nullif(
            (s.value ->> 'changes') + (s.value ->> 'bad_changes'), 0),
        'average_time_to_restore_s', (s.value ->> 'restore_ms') / 1000.0 / nullif(s.value ->> 'restores', 0),
        'failing_since', t.failing_since,
        'first_started_at', t.first_started_at,
        'last_finished_at', t.last_finished_at,
        'last_converged_at', t.last_converged_at
    ) AS data
FROM tv_targets t
CROSS JOIN windows w
CROSS JOIN json_each(json_array(json((
    SELECT json_object(
        'deployments', ifnull(sum(deployments), 0),
        'attempts', ifnull(sum(attempts), 0),
        'running', ifnull(sum(iif(status = 'running', deployments, 0)), 0),
        'converged', ifnull(sum(iif(status = 'converged', deployments, 0)), 0),
        'failed', ifnull(sum(iif(status = 'failed', deployments, 0)), 0),
        'rolled_back', ifnull(sum(iif(status = 'rolled_back', deployments, 0)), 0),
        'interrupted', ifnull(sum(iif(status = 'interrupted', deployments, 0)), 0),
        'superseded', ifnull(sum(iif(status = 'superseded', deployments, 0)), 0),
        'converged_ms', sum(iif(status = 'converged', busy_ms, 0)),
        'longest_ms', max(iif(status = 'converged', longest_ms, NULL)),
        'repairs', ifnull(sum(iif(action = 'repair', deployments, 0)), 0),
        'changes', ifnull(sum(iif(status = 'converged' AND action IN ('deploy', 'reconfigure'), deployments, 0)), 0),
        'bad_changes', ifnull(sum(
            iif(status IN ('failed', 'rolled_back') AND action IN ('deploy', 'reconfigure'), deployments, 0)), 0),
        'commits', sum(iif(status = 'converged', commits, 0)),
        'commit_ms', sum(iif(status = 'converged', commit_ms, 0)),
        'restores', sum(restores),
        'restore_ms', sum(restore_ms))
    FROM (
        SELECT action, status, deployments, attempts, busy_ms, longest_ms, commits, commit_ms, restores, restore_ms
        FROM tv_deployment_days
        WHERE identifier = t.identifier AND day BETWEEN w.first_day AND w.last_day
        UNION ALL
        SELECT action, status, 1, attempts, busy_ms, busy_ms, commit_ms IS NOT NULL, commit_ms,
            restore_ms IS NOT NULL, restore_ms
        FROM tv_deployments
        WHERE w."window" = '24h' AND identifier = t.identifier AND started_at >= w.since
            AND pk_deployment > ifnull((
                SELECT pk_deployment FROM tv_deployments
                WHERE started_at < strftime('%Y-%m-%dT%H:%M:%f', 'now', '-1 day') ORDER BY started_at DESC LIMIT 1), 0)
    )
)))) s;

-- The journal once more, under the rules above (fraisier/store/rebuild.py does the same) -----------

DELETE FROM tv_open_attempts;
DELETE FROM tv_quarantine;
DELETE FROM tv_back_off;
DELETE FROM tv_gates;
DELETE FROM tv_rewinds;
DELETE FROM tv_forced;
DELETE FROM tv_requests;
INSERT INTO tv_requests (pk_request, id, identifier, state, message, changed_at)
SELECT pk_request, id, identifier, 'pending', '', requested_at FROM tb_requests;
INSERT INTO projector SELECT * FROM projector ORDER BY pk_deployment_event;
INSERT INTO tv_open_attempts (identifier, fk_deployment_attempt)
SELECT a.identifier, a.pk_deployment_attempt FROM tb_deployment_attempts a
WHERE NOT EXISTS (
    SELECT 1 FROM tb_deployment_events e
    WHERE e.fk_deployment_attempt = a.pk_deployment_attempt AND e.kind = 'attempt_closed');
