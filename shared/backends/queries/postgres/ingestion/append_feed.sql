-- The last statement of a transaction: takes the next numbers of each slice, in ascending order, under the row lock of its
-- head, which is held until the commit, and writes the entries with them.
WITH new AS (
  SELECT *, row_number() OVER (PARTITION BY slice ORDER BY place) AS number, count(*) OVER (PARTITION BY slice) AS n_entries
  FROM unnest($2::bigint[], $3::uuid[], $4::integer[], $5::bigint[], $6::bigint[], $7::bigint[],
    $10::bytea[])
    WITH ORDINALITY AS new (recorded_at, batch_id, slice, first_at, last_at, record_bytes, trace, place)
), head AS (
  INSERT INTO feed_head AS head (tenant_id, slice, sequence) SELECT $1, slice, count(*) FROM new GROUP BY slice ORDER BY slice
  ON CONFLICT (tenant_id, slice) DO UPDATE SET sequence = head.sequence + excluded.sequence
  RETURNING slice, sequence
)
INSERT INTO feed (tenant_id, slice, sequence, recorded_at, batch_id, first_at, last_at, record_bytes, import, clock, trace)
SELECT $1, head.slice, head.sequence - new.n_entries + new.number, new.recorded_at, new.batch_id, new.first_at, new.last_at,
  new.record_bytes, $8::smallint, $9::bigint, new.trace
FROM head JOIN new USING (slice)
RETURNING slice, sequence, batch_id
