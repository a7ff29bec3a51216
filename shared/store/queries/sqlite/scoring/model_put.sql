INSERT INTO model (tenant_id, closed_on, known_at, models)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (tenant_id, closed_on) DO UPDATE SET
    known_at = excluded.known_at,
    models = excluded.models;
