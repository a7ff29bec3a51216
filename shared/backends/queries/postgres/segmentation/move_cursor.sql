-- One statement for the first commit of a slice, whose version is 0, and all others: a stale one writes no row.
INSERT INTO cursor AS stored (tenant_id, slice, position, facts_sequence, closed_on, version, behind, judged)
SELECT $1, $2::integer, $3::bigint, $4::bigint, $5::integer, $6::bigint + 1, $7::bytea, $8::bytea
WHERE $6 = 0 OR EXISTS (SELECT FROM cursor WHERE tenant_id = $1 AND slice = $2)
ON CONFLICT (tenant_id, slice) DO UPDATE SET
  position = excluded.position, facts_sequence = excluded.facts_sequence, closed_on = excluded.closed_on,
  version = excluded.version, behind = excluded.behind, judged = excluded.judged
WHERE stored.version = $6
