INSERT INTO source_count (tenant_id, source, accepted, duplicate, conflict, held, rejected, last_received_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)
ON CONFLICT (tenant_id, source) DO UPDATE SET
    accepted = accepted + excluded.accepted,
    duplicate = duplicate + excluded.duplicate,
    conflict = conflict + excluded.conflict,
    held = held + excluded.held,
    rejected = rejected + excluded.rejected;
