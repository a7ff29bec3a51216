UPDATE cursor SET position = $3 WHERE tenant_id = $1 AND slice = $2 AND position = $4
