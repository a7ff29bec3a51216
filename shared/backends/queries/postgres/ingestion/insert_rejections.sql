-- Numbered in the order of arrival, inserted in the order of keys: two writers of the same refusals never wait for each other.
WITH arrived AS MATERIALIZED (
  SELECT nextval('rejection_ordinal_seq') AS ordinal, placed.*
  FROM (
    SELECT new.*
    FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[])
      WITH ORDINALITY AS new (key, source, field, reason, hint, record, place)
    ORDER BY new.place
  ) AS placed
)
INSERT INTO rejection (tenant_id, received_at, ordinal, key, source, field, reason, hint, record)
SELECT $1, $2, ordinal, key, source, field, reason, hint, record FROM arrived ORDER BY key, ordinal
ON CONFLICT (tenant_id, key) DO NOTHING
