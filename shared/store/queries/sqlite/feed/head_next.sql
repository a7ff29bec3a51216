INSERT INTO feed_head (tenant_id, slice, sequence) VALUES (?1, ?2, 1)
ON CONFLICT (tenant_id, slice) DO UPDATE SET sequence = sequence + 1
RETURNING sequence;
