-- Account by account in the order of $2, the oldest first: at most $3 records, and none once they have come to $4 bytes. By ctid,
-- for the lock of accounts is held: nobody else touches these rows, and no plan reads the others.
DELETE FROM held USING account
WHERE held.tenant_id = $1 AND held.ctid = ANY (ARRAY (
  SELECT measured.row_id FROM (
    SELECT row_id, sum(bytes) OVER (ORDER BY place, ordinal) - bytes AS bytes_before FROM (
      SELECT waiting.row_id, waiting.ordinal, waiting.bytes, asked.place
      FROM unnest($2::text[]) WITH ORDINALITY AS asked (external_id, place) CROSS JOIN LATERAL (
        SELECT ctid AS row_id, ordinal, octet_length(record) AS bytes
        FROM held WHERE tenant_id = $1 AND external_id = asked.external_id ORDER BY ordinal LIMIT $3
      ) AS waiting LIMIT $3
    ) AS counted
  ) AS measured WHERE measured.bytes_before < $4
)) AND account.tenant_id = $1 AND account.external_id = held.external_id
RETURNING held.ordinal, held.hour, held.hash, held.payload, held.external_id, account.uid, account.slice, held.source, held.kind,
  held.occurred_at, held.known_at, held.historical, held.record
