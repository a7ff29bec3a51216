INSERT INTO event_type (tenant_id, type, events, first_at, last_at) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (tenant_id, type) DO UPDATE
SET events = events + excluded.events, first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at);
