-- What people, the CLI, HTTP and GraphQL read. Native columns to filter and order by; `data` is the object
-- that `--json` prints. Every key of `data` is documented in docs/store.md.

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
        'retried', json(iif(retried, 'true', 'false')),
        'attempts', attempts,
        'started_at', started_at,
        'finished_at', finished_at,
        'duration_s', iif(finished_at IS NULL, NULL, lead_ms / 1000.0)
    ) AS data
FROM tv_deployments;

CREATE VIEW v_quarantine AS
SELECT
    id,
    identifier,
    substr(identifier, 1, instr(identifier, '/') - 1) AS fraise,
    substr(identifier, instr(identifier, '/') + 1) AS environment,
    sha,
    config_digest,
    fault,
    at AS quarantined_at,
    json_object(
        'id', id,
        'identifier', identifier,
        'fraise', substr(identifier, 1, instr(identifier, '/') - 1),
        'environment', substr(identifier, instr(identifier, '/') + 1),
        'sha', sha,
        'config_digest', config_digest,
        'fault', fault,
        'message', message,
        'quarantined_at', at
    ) AS data
FROM tv_quarantine;

-- Changes are deployments that bring new code or configuration; repairs and returns are none.
CREATE VIEW v_deployment_stats AS
WITH sums AS (
    SELECT
        identifier,
        sum(deployments) AS deployments,
        sum(attempts) AS attempts,
        sum(iif(status = 'running', deployments, 0)) AS running,
        sum(iif(status = 'converged', deployments, 0)) AS converged,
        sum(iif(status = 'failed', deployments, 0)) AS failed,
        sum(iif(status = 'rolled_back', deployments, 0)) AS rolled_back,
        sum(iif(status = 'interrupted', deployments, 0)) AS interrupted,
        sum(iif(status = 'superseded', deployments, 0)) AS superseded,
        sum(iif(status = 'converged', busy_ms, 0)) AS converged_ms,
        sum(iif(status = 'converged' AND action IN ('deploy', 'reconfigure'), deployments, 0)) AS changes,
        sum(iif(status = 'converged' AND action IN ('deploy', 'reconfigure'), lead_ms, 0)) AS changes_ms,
        sum(iif(status IN ('failed', 'rolled_back') AND action IN ('deploy', 'reconfigure'), deployments, 0))
            AS bad_changes
    FROM tv_deployment_stats
    GROUP BY identifier
)
SELECT
    t.id,
    t.identifier,
    substr(t.identifier, 1, instr(t.identifier, '/') - 1) AS fraise,
    substr(t.identifier, instr(t.identifier, '/') + 1) AS environment,
    json_object(
        'identifier', t.identifier,
        'fraise', substr(t.identifier, 1, instr(t.identifier, '/') - 1),
        'environment', substr(t.identifier, instr(t.identifier, '/') + 1),
        'deployments', s.deployments,
        'attempts', s.attempts,
        'running', s.running,
        'converged', s.converged,
        'failed', s.failed,
        'rolled_back', s.rolled_back,
        'interrupted', s.interrupted,
        'superseded', s.superseded,
        'success_rate', s.converged * 1.0 / nullif(s.converged + s.failed + s.rolled_back, 0),
        'average_duration_s', s.converged_ms / 1000.0 / nullif(s.converged, 0),
        'deployments_per_day',
            s.changes / max(1.0, ifnull(julianday(t.last_finished_at) - julianday(t.first_started_at), 1.0)),
        'average_lead_time_s', s.changes_ms / 1000.0 / nullif(s.changes, 0),
        'change_failure_rate', s.bad_changes * 1.0 / nullif(s.changes + s.bad_changes, 0),
        'average_time_to_restore_s', t.restore_ms / 1000.0 / nullif(t.restores, 0),
        'failing_since', t.failing_since,
        'first_started_at', t.first_started_at,
        'last_finished_at', t.last_finished_at,
        'last_converged_at', t.last_converged_at
    ) AS data
FROM tv_targets t
JOIN sums s ON s.identifier = t.identifier;
