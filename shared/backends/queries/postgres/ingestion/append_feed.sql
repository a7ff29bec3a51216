-- The last statement of a transaction: takes the next number of each slice, in ascending order, under the row lock of its
-- head, which is held until the commit, and writes an entry with it.
WITH new AS (
  SELECT * FROM unnest($4::integer[], $5::bigint[], $6::bigint[], $7::bigint[]) AS new (slice, first_at, last_at, record_bytes)
), head AS (
  INSERT INTO feed_head AS head (tenant_id, slice, sequence) SELECT $1, new.slice, 1 FROM new ORDER BY new.slice
  ON CONFLICT (tenant_id, slice) DO UPDATE SET sequence = head.sequence + 1
  RETURNING slice, sequence
)
INSERT INTO feed (tenant_id, slice, sequence, recorded_at, batch_id, first_at, last_at, record_bytes, import)
SELECT $1, head.slice, head.sequence, $2, $3, new.first_at, new.last_at, new.record_bytes, $8::smallint FROM head JOIN new USING (slice)
RETURNING slice, sequence
