-- The log: what was wished, tried and asked for. Insert-only, enforced by the triggers at the end.
--
-- Keys: pk_… integer (internal), id UUID, identifier `fraise/environment`. Moments are ISO 8601 text in
-- UTC with microseconds and Z, so that they sort as text. Closed lists that later versions extend (kinds
-- of events and requests) are checked by the program, since SQLite cannot change a CHECK in place.

CREATE TABLE tb_requests (
    pk_request    INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    identifier    TEXT NOT NULL,
    kind          TEXT NOT NULL,
    requested_by  TEXT NOT NULL,
    requested_at  TEXT NOT NULL,
    payload       TEXT NOT NULL CHECK (json_valid(payload))
) STRICT;

CREATE TABLE tb_deployments (
    pk_deployment INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    identifier    TEXT NOT NULL,
    fk_request    INTEGER REFERENCES tb_requests,
    action        TEXT NOT NULL,
    ref           TEXT NOT NULL,
    from_revision TEXT,
    to_revision   TEXT,
    config_digest TEXT NOT NULL,
    "trigger"     TEXT NOT NULL,
    requested_by  TEXT NOT NULL,
    plan          TEXT NOT NULL CHECK (json_valid(plan)),
    created_at    TEXT NOT NULL
) STRICT;

CREATE TABLE tb_deployment_attempts (
    pk_deployment_attempt INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    identifier    TEXT NOT NULL,
    fk_deployment INTEGER NOT NULL REFERENCES tb_deployments,
    fk_request    INTEGER REFERENCES tb_requests,  -- of this try; the deployment may be older than the request
    number        INTEGER NOT NULL CHECK (number > 0),
    "trigger"     TEXT NOT NULL,
    requested_by  TEXT NOT NULL,
    started_at    TEXT NOT NULL,
    deadline_at   TEXT NOT NULL,
    UNIQUE (fk_deployment, number)
) STRICT;

CREATE TABLE tb_deployment_events (
    pk_deployment_event INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    identifier    TEXT NOT NULL,
    kind          TEXT NOT NULL,
    at            TEXT NOT NULL,
    fk_deployment INTEGER REFERENCES tb_deployments,
    fk_deployment_attempt INTEGER REFERENCES tb_deployment_attempts,
    fk_request    INTEGER REFERENCES tb_requests,
    step          TEXT,
    position      INTEGER,
    message       TEXT NOT NULL DEFAULT '',
    data          TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(data))
) STRICT;

CREATE INDEX tb_deployment_events_by_identifier ON tb_deployment_events (identifier, pk_deployment_event);
CREATE INDEX tb_deployment_events_by_attempt ON tb_deployment_events (fk_deployment_attempt)
    WHERE fk_deployment_attempt IS NOT NULL;
-- An attempt ends once, whoever says so.
CREATE UNIQUE INDEX tb_deployment_events_one_end ON tb_deployment_events (fk_deployment_attempt)
    WHERE kind = 'attempt_closed';

CREATE TRIGGER tb_requests_no_update BEFORE UPDATE ON tb_requests
BEGIN SELECT RAISE(ABORT, 'tb_requests is append-only: rows are not changed'); END;
CREATE TRIGGER tb_requests_no_delete BEFORE DELETE ON tb_requests
BEGIN SELECT RAISE(ABORT, 'tb_requests is append-only: rows are not deleted'); END;
CREATE TRIGGER tb_deployments_no_update BEFORE UPDATE ON tb_deployments
BEGIN SELECT RAISE(ABORT, 'tb_deployments is append-only: rows are not changed'); END;
CREATE TRIGGER tb_deployments_no_delete BEFORE DELETE ON tb_deployments
BEGIN SELECT RAISE(ABORT, 'tb_deployments is append-only: rows are not deleted'); END;
CREATE TRIGGER tb_deployment_attempts_no_update BEFORE UPDATE ON tb_deployment_attempts
BEGIN SELECT RAISE(ABORT, 'tb_deployment_attempts is append-only: rows are not changed'); END;
CREATE TRIGGER tb_deployment_attempts_no_delete BEFORE DELETE ON tb_deployment_attempts
BEGIN SELECT RAISE(ABORT, 'tb_deployment_attempts is append-only: rows are not deleted'); END;
CREATE TRIGGER tb_deployment_events_no_update BEFORE UPDATE ON tb_deployment_events
BEGIN SELECT RAISE(ABORT, 'tb_deployment_events is append-only: rows are not changed'); END;
CREATE TRIGGER tb_deployment_events_no_delete BEFORE DELETE ON tb_deployment_events
BEGIN SELECT RAISE(ABORT, 'tb_deployment_events is append-only: rows are not deleted'); END;

-- INSERT OR REPLACE deletes without asking a DELETE trigger (https://sqlite.org/lang_conflict.html), so a row
-- that would take the place of another is refused before.
CREATE TRIGGER tb_requests_no_replace BEFORE INSERT ON tb_requests
WHEN EXISTS (SELECT 1 FROM tb_requests WHERE pk_request = NEW.pk_request)
    OR EXISTS (SELECT 1 FROM tb_requests WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'tb_requests is append-only: such a row is there already'); END;
CREATE TRIGGER tb_deployments_no_replace BEFORE INSERT ON tb_deployments
WHEN EXISTS (SELECT 1 FROM tb_deployments WHERE pk_deployment = NEW.pk_deployment)
    OR EXISTS (SELECT 1 FROM tb_deployments WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'tb_deployments is append-only: such a row is there already'); END;
CREATE TRIGGER tb_deployment_attempts_no_replace BEFORE INSERT ON tb_deployment_attempts
WHEN EXISTS (SELECT 1 FROM tb_deployment_attempts WHERE pk_deployment_attempt = NEW.pk_deployment_attempt)
    OR EXISTS (SELECT 1 FROM tb_deployment_attempts WHERE id = NEW.id)
    OR EXISTS (SELECT 1 FROM tb_deployment_attempts WHERE fk_deployment = NEW.fk_deployment AND number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'tb_deployment_attempts is append-only: such a row is there already'); END;
CREATE TRIGGER tb_deployment_events_no_replace BEFORE INSERT ON tb_deployment_events
WHEN EXISTS (SELECT 1 FROM tb_deployment_events WHERE pk_deployment_event = NEW.pk_deployment_event)
    OR EXISTS (SELECT 1 FROM tb_deployment_events WHERE id = NEW.id)
    OR NEW.kind = 'attempt_closed' AND EXISTS (
        SELECT 1 FROM tb_deployment_events
        WHERE kind = 'attempt_closed' AND fk_deployment_attempt = NEW.fk_deployment_attempt)
BEGIN SELECT RAISE(ABORT, 'tb_deployment_events is append-only: such a row is there already'); END;
