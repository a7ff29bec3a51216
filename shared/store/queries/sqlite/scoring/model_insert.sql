INSERT INTO model (tenant_id, closed_on, place, known_at, models)
VALUES (?1, ?2, (SELECT COALESCE(MAX(place), 0) + 1 FROM model WHERE tenant_id = ?1 AND closed_on = ?2), ?3, ?4);
