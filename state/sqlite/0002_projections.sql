-- What follows from the log, kept in the transaction that writes the log, so that reading costs the same
-- whatever the length of history.
--
-- Every projection but three hangs on `projector`: a view onto the journal whose INSTEAD OF triggers hold
-- the rules. The trigger `tb_deployment_events_project` feeds it each new event; a rebuild feeds it the
-- whole journal again, in order (fraisier/store/rebuild.py). The three: `tv_open_attempts`, which guards
-- the INSERT of an attempt itself; `tv_fraise_status` and `tv_heads`, which keep what a cycle observed
-- and are written by the program.

CREATE TABLE tv_open_attempts (
    identifier            TEXT PRIMARY KEY,
    fk_deployment_attempt INTEGER NOT NULL UNIQUE
) STRICT;

CREATE TABLE tv_targets (
    identifier        TEXT PRIMARY KEY,
    id                TEXT NOT NULL,
    attempted         TEXT,
    healthy           TEXT,
    last_converged_at TEXT,
    first_started_at  TEXT,
    last_finished_at  TEXT,
    failing_since     TEXT,               -- end of the first attempt that failed for good since it last converged
    restores          INTEGER NOT NULL DEFAULT 0,
    restore_ms        INTEGER NOT NULL DEFAULT 0
) STRICT;

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
    busy_ms       INTEGER NOT NULL        -- sum over the attempts
) STRICT;
CREATE INDEX tv_deployments_by_identifier ON tv_deployments (identifier, pk_deployment);

CREATE TABLE tv_deployment_stats (
    identifier  TEXT NOT NULL,
    action      TEXT NOT NULL,
    status      TEXT NOT NULL,
    deployments INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    lead_ms     INTEGER NOT NULL,
    busy_ms     INTEGER NOT NULL,
    PRIMARY KEY (identifier, action, status)
) STRICT, WITHOUT ROWID;

CREATE TABLE tv_healthy (
    identifier     TEXT NOT NULL,
    sha            TEXT NOT NULL,
    build_digest   TEXT NOT NULL,
    runtime_digest TEXT NOT NULL,
    ref            TEXT NOT NULL,
    release        TEXT NOT NULL,
    at             TEXT NOT NULL,
    fk_deployment_event INTEGER NOT NULL, -- of the last proof: the order of newness
    PRIMARY KEY (identifier, sha, build_digest, runtime_digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE tv_quarantine (
    fk_deployment_event INTEGER PRIMARY KEY,
    id            TEXT NOT NULL,
    identifier    TEXT NOT NULL,
    sha           TEXT,                   -- null: whatever the revision
    config_digest TEXT NOT NULL,
    fault         TEXT NOT NULL,
    message       TEXT NOT NULL,
    at            TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX tv_quarantine_key ON tv_quarantine (identifier, ifnull(sha, ''), config_digest);

CREATE TABLE tv_back_off (
    identifier    TEXT PRIMARY KEY,
    sha           TEXT NOT NULL,
    config_digest TEXT NOT NULL,
    failures      INTEGER NOT NULL,
    until         TEXT NOT NULL,
    message       TEXT NOT NULL
) STRICT;

CREATE TABLE tv_gates (
    identifier     TEXT PRIMARY KEY,
    release        TEXT NOT NULL,
    runtime_digest TEXT NOT NULL,
    deadline_at    TEXT NOT NULL
) STRICT;

CREATE TABLE tv_rewinds (
    identifier  TEXT NOT NULL,
    sha         TEXT NOT NULL,
    accepted_by TEXT NOT NULL,
    at          TEXT NOT NULL,
    PRIMARY KEY (identifier, sha)
) STRICT, WITHOUT ROWID;

CREATE TABLE tv_forced (
    identifier TEXT PRIMARY KEY,
    forced_by  TEXT NOT NULL,
    at         TEXT NOT NULL
) STRICT;

CREATE TABLE tv_requests (
    pk_request INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    identifier TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('pending', 'taken', 'done', 'failed', 'held', 'refused')),
    message    TEXT NOT NULL,
    changed_at TEXT NOT NULL
) STRICT;
CREATE INDEX tv_requests_unanswered ON tv_requests (state, pk_request) WHERE state IN ('pending', 'taken');

CREATE TABLE tv_fraise_status (
    identifier     TEXT PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    type           TEXT NOT NULL,
    ref            TEXT NOT NULL,
    desired        TEXT,
    sync           TEXT NOT NULL CHECK (sync IN ('in_sync', 'pending', 'drifted', 'held', 'unknown')),
    health         TEXT NOT NULL CHECK (health IN ('healthy', 'degraded', 'progressing', 'stopped', 'unknown')),
    reason_code    TEXT NOT NULL,
    reason_message TEXT NOT NULL,
    to_go_on       TEXT NOT NULL,
    running        TEXT,
    since          TEXT NOT NULL,         -- when (sync, reason_code) last changed
    updated_at     TEXT NOT NULL
) STRICT;

CREATE TABLE tv_heads (
    remote  TEXT NOT NULL,
    branch  TEXT NOT NULL,
    sha     TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    PRIMARY KEY (remote, branch)
) STRICT, WITHOUT ROWID;

-- Rules that hang on rows other than events -----------------------------------------------------

-- At most one open attempt per target: the primary key refuses the second.
CREATE TRIGGER tb_deployment_attempts_open AFTER INSERT ON tb_deployment_attempts
BEGIN
    INSERT INTO tv_open_attempts (identifier, fk_deployment_attempt)
    VALUES (NEW.identifier, NEW.pk_deployment_attempt);
END;

CREATE TRIGGER tb_requests_project AFTER INSERT ON tb_requests
BEGIN
    INSERT INTO tv_requests (pk_request, id, identifier, state, message, changed_at)
    VALUES (NEW.pk_request, NEW.id, NEW.identifier, 'pending', '', NEW.requested_at);
END;

CREATE TRIGGER tv_deployments_count AFTER INSERT ON tv_deployments
BEGIN
    INSERT INTO tv_deployment_stats (identifier, action, status, deployments, attempts, lead_ms, busy_ms)
    VALUES (NEW.identifier, NEW.action, NEW.status, 1, NEW.attempts, NEW.lead_ms, NEW.busy_ms)
    ON CONFLICT (identifier, action, status) DO UPDATE SET
        deployments = deployments + 1, attempts = attempts + NEW.attempts,
        lead_ms = lead_ms + NEW.lead_ms, busy_ms = busy_ms + NEW.busy_ms;
END;

CREATE TRIGGER tv_deployments_recount AFTER UPDATE ON tv_deployments
BEGIN
    UPDATE tv_deployment_stats SET
        deployments = deployments - 1, attempts = attempts - OLD.attempts,
        lead_ms = lead_ms - OLD.lead_ms, busy_ms = busy_ms - OLD.busy_ms
    WHERE identifier = OLD.identifier AND action = OLD.action AND status = OLD.status;
    INSERT INTO tv_deployment_stats (identifier, action, status, deployments, attempts, lead_ms, busy_ms)
    VALUES (NEW.identifier, NEW.action, NEW.status, 1, NEW.attempts, NEW.lead_ms, NEW.busy_ms)
    ON CONFLICT (identifier, action, status) DO UPDATE SET
        deployments = deployments + 1, attempts = attempts + NEW.attempts,
        lead_ms = lead_ms + NEW.lead_ms, busy_ms = busy_ms + NEW.busy_ms;
END;

-- Rules that hang on the journal ----------------------------------------------------------------

CREATE VIEW projector AS
SELECT pk_deployment_event, id, identifier, kind, at, fk_deployment, fk_deployment_attempt, fk_request, message, data
FROM tb_deployment_events;

CREATE TRIGGER tb_deployment_events_project AFTER INSERT ON tb_deployment_events
BEGIN
    INSERT INTO projector
    VALUES (NEW.pk_deployment_event, NEW.id, NEW.identifier, NEW.kind, NEW.at, NEW.fk_deployment,
            NEW.fk_deployment_attempt, NEW.fk_request, NEW.message, NEW.data);
END;

CREATE TRIGGER project_attempt_opened INSTEAD OF INSERT ON projector WHEN NEW.kind = 'attempt_opened'
BEGIN
    INSERT INTO tv_deployments (
        pk_deployment, id, identifier, action, ref, from_revision, to_revision, config_digest, "trigger",
        requested_by, status, attempts, retried, error_code, message, started_at, finished_at, lead_ms, busy_ms)
    SELECT pk_deployment, id, identifier, action, ref, from_revision, to_revision, config_digest, "trigger",
           requested_by, 'running', 1, 0, '', '', NEW.at, NULL, 0, 0
    FROM tb_deployments WHERE pk_deployment = NEW.fk_deployment
    ON CONFLICT (pk_deployment) DO UPDATE SET
        status = 'running', attempts = attempts + 1, retried = 0, error_code = '', message = '', finished_at = NULL;

    INSERT INTO tv_targets (identifier, id, attempted, first_started_at)
    SELECT NEW.identifier, NEW.id, to_revision, NEW.at FROM tb_deployments WHERE pk_deployment = NEW.fk_deployment
    ON CONFLICT (identifier) DO UPDATE SET
        attempted = excluded.attempted, first_started_at = ifnull(first_started_at, excluded.first_started_at);
END;

CREATE TRIGGER project_attempt_closed INSTEAD OF INSERT ON projector WHEN NEW.kind = 'attempt_closed'
BEGIN
    DELETE FROM tv_open_attempts WHERE fk_deployment_attempt = NEW.fk_deployment_attempt;

    UPDATE tv_deployments SET
        status = json_extract(NEW.data, '$.outcome'),
        retried = json_extract(NEW.data, '$.retried'),
        error_code = json_extract(NEW.data, '$.error_code'),
        message = NEW.message,
        finished_at = NEW.at,
        lead_ms = max(0, CAST(round((julianday(NEW.at) - julianday(started_at)) * 86400000) AS INTEGER)),
        busy_ms = busy_ms + (
            SELECT max(0, CAST(round((julianday(NEW.at) - julianday(a.started_at)) * 86400000) AS INTEGER))
            FROM tb_deployment_attempts a WHERE a.pk_deployment_attempt = NEW.fk_deployment_attempt)
    WHERE pk_deployment = NEW.fk_deployment;

    UPDATE tv_targets SET last_finished_at = NEW.at WHERE identifier = NEW.identifier;
END;

CREATE TRIGGER project_converged INSTEAD OF INSERT ON projector
WHEN NEW.kind = 'attempt_closed' AND json_extract(NEW.data, '$.outcome') = 'converged'
BEGIN
    UPDATE tv_targets SET
        last_converged_at = NEW.at,
        failing_since = NULL,
        restores = restores + (failing_since IS NOT NULL),
        restore_ms = restore_ms + max(0, ifnull(
            CAST(round((julianday(NEW.at) - julianday(failing_since)) * 86400000) AS INTEGER), 0))
    WHERE identifier = NEW.identifier;
END;

CREATE TRIGGER project_failing INSTEAD OF INSERT ON projector
WHEN NEW.kind = 'attempt_closed' AND json_extract(NEW.data, '$.outcome') IN ('failed', 'rolled_back')
    AND json_extract(NEW.data, '$.retried') = 0
BEGIN
    UPDATE tv_targets SET failing_since = ifnull(failing_since, NEW.at) WHERE identifier = NEW.identifier;
END;

-- An interrupted attempt leaves its gate and the wish for force to the attempt that goes on.
CREATE TRIGGER project_settled INSTEAD OF INSERT ON projector
WHEN NEW.kind = 'attempt_closed' AND json_extract(NEW.data, '$.outcome') <> 'interrupted'
BEGIN
    DELETE FROM tv_gates WHERE identifier = NEW.identifier;
    DELETE FROM tv_forced WHERE identifier = NEW.identifier;
END;

-- A back-off that the same closing asks for comes after it in the journal, and so stays.
CREATE TRIGGER project_back_off_ended INSTEAD OF INSERT ON projector
WHEN NEW.kind = 'proven_healthy'
    OR NEW.kind = 'attempt_closed' AND json_extract(NEW.data, '$.outcome') IN ('converged', 'rolled_back')
BEGIN
    DELETE FROM tv_back_off WHERE identifier = NEW.identifier;
END;

CREATE TRIGGER project_backed_off INSTEAD OF INSERT ON projector WHEN NEW.kind = 'backed_off'
BEGIN
    DELETE FROM tv_back_off WHERE identifier = NEW.identifier;
    INSERT INTO tv_back_off (identifier, sha, config_digest, failures, until, message)
    VALUES (NEW.identifier, json_extract(NEW.data, '$.sha'), json_extract(NEW.data, '$.config_digest'),
            json_extract(NEW.data, '$.failures'), json_extract(NEW.data, '$.until'), NEW.message);
END;

CREATE TRIGGER project_proven_healthy INSTEAD OF INSERT ON projector WHEN NEW.kind = 'proven_healthy'
BEGIN
    INSERT INTO tv_targets (identifier, id, healthy)
    VALUES (NEW.identifier, NEW.id, json_extract(NEW.data, '$.sha'))
    ON CONFLICT (identifier) DO UPDATE SET healthy = excluded.healthy;

    INSERT INTO tv_healthy (identifier, sha, build_digest, runtime_digest, ref, release, at, fk_deployment_event)
    VALUES (NEW.identifier, json_extract(NEW.data, '$.sha'), json_extract(NEW.data, '$.build_digest'),
            json_extract(NEW.data, '$.runtime_digest'), json_extract(NEW.data, '$.ref'),
            json_extract(NEW.data, '$.release'), json_extract(NEW.data, '$.at'), NEW.pk_deployment_event)
    ON CONFLICT (identifier, sha, build_digest, runtime_digest) DO UPDATE SET
        ref = excluded.ref, release = excluded.release, at = excluded.at,
        fk_deployment_event = excluded.fk_deployment_event;

    -- HEALTHY_KEPT of fraisier/model/state.py
    DELETE FROM tv_healthy WHERE identifier = NEW.identifier AND fk_deployment_event <= (
        SELECT fk_deployment_event FROM tv_healthy WHERE identifier = NEW.identifier
        ORDER BY fk_deployment_event DESC LIMIT 1 OFFSET 20);
END;

CREATE TRIGGER project_gate_opened INSTEAD OF INSERT ON projector WHEN NEW.kind = 'gate_opened'
BEGIN
    DELETE FROM tv_gates WHERE identifier = NEW.identifier;
    INSERT INTO tv_gates (identifier, release, runtime_digest, deadline_at)
    VALUES (NEW.identifier, json_extract(NEW.data, '$.release'), json_extract(NEW.data, '$.runtime_digest'),
            json_extract(NEW.data, '$.deadline_at'));
END;

CREATE TRIGGER project_quarantined INSTEAD OF INSERT ON projector WHEN NEW.kind = 'quarantined'
BEGIN
    DELETE FROM tv_quarantine
    WHERE identifier = NEW.identifier AND ifnull(sha, '') = ifnull(json_extract(NEW.data, '$.sha'), '')
        AND config_digest = json_extract(NEW.data, '$.config_digest');
    INSERT INTO tv_quarantine (fk_deployment_event, id, identifier, sha, config_digest, fault, message, at)
    VALUES (NEW.pk_deployment_event, NEW.id, NEW.identifier, json_extract(NEW.data, '$.sha'),
            json_extract(NEW.data, '$.config_digest'), json_extract(NEW.data, '$.fault'), NEW.message, NEW.at);
END;

-- Lifting one revision also ends what keeps every revision out; without one, everything ends.
CREATE TRIGGER project_lifted INSTEAD OF INSERT ON projector WHEN NEW.kind = 'lifted'
BEGIN
    DELETE FROM tv_quarantine
    WHERE identifier = NEW.identifier
        AND (json_extract(NEW.data, '$.sha') IS NULL OR sha IS NULL OR sha = json_extract(NEW.data, '$.sha'));
    DELETE FROM tv_back_off
    WHERE identifier = NEW.identifier
        AND (json_extract(NEW.data, '$.sha') IS NULL OR sha = json_extract(NEW.data, '$.sha'));
END;

CREATE TRIGGER project_rewind_accepted INSTEAD OF INSERT ON projector WHEN NEW.kind = 'rewind_accepted'
BEGIN
    INSERT INTO tv_rewinds (identifier, sha, accepted_by, at)
    VALUES (NEW.identifier, json_extract(NEW.data, '$.sha'), json_extract(NEW.data, '$.by'), NEW.at)
    ON CONFLICT (identifier, sha) DO UPDATE SET accepted_by = excluded.accepted_by, at = excluded.at;
END;

CREATE TRIGGER project_forced INSTEAD OF INSERT ON projector WHEN NEW.kind = 'forced'
BEGIN
    INSERT INTO tv_forced (identifier, forced_by, at)
    VALUES (NEW.identifier, json_extract(NEW.data, '$.by'), NEW.at)
    ON CONFLICT (identifier) DO UPDATE SET forced_by = excluded.forced_by, at = excluded.at;
END;

CREATE TRIGGER project_request_taken INSTEAD OF INSERT ON projector WHEN NEW.kind = 'request_taken'
BEGIN
    UPDATE tv_requests SET state = 'taken', changed_at = NEW.at WHERE pk_request = NEW.fk_request;
END;

CREATE TRIGGER project_request_answered INSTEAD OF INSERT ON projector WHEN NEW.kind = 'request_answered'
BEGIN
    UPDATE tv_requests SET state = json_extract(NEW.data, '$.state'), message = NEW.message, changed_at = NEW.at
    WHERE pk_request = NEW.fk_request;
END;
