INSERT INTO segmenter_state (tenant_id, digest, chunk, learned) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
