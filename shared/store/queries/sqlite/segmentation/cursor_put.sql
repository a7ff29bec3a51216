INSERT INTO slice_cursor (tenant_id, slice, cursor, facts_sequence, closed_on, version, behind, judged)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (tenant_id, slice) DO UPDATE SET
    cursor = excluded.cursor,
    facts_sequence = excluded.facts_sequence,
    closed_on = excluded.closed_on,
    version = excluded.version,
    behind = excluded.behind,
    judged = excluded.judged;
