SELECT key, external_id, is_left, first_at, last_at FROM place WHERE tenant_id = $1 AND key = ANY($2)
