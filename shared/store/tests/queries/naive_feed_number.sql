INSERT INTO naive_sequence (tenant_id, newest) VALUES (?1, 1)
ON CONFLICT (tenant_id) DO UPDATE SET newest = newest + 1
RETURNING newest;
