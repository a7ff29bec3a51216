-- The last statement of a transaction: takes the next numbers of the slice under the row lock of its head, which is held
-- until the commit, and writes the entries in order.
WITH head AS (
  INSERT INTO feed_head AS head (tenant_id, slice, sequence) VALUES ($1, $2, cardinality($3::bytea[]))
  ON CONFLICT (tenant_id, slice) DO UPDATE SET sequence = head.sequence + excluded.sequence
  RETURNING sequence
)
INSERT INTO feed (tenant_id, slice, sequence, payload)
SELECT $1, $2, head.sequence - cardinality($3::bytea[]) + entry.place, entry.payload
FROM head, unnest($3::bytea[]) WITH ORDINALITY AS entry (payload, place)
RETURNING sequence
