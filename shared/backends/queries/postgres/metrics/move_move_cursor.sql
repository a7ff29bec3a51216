UPDATE move_cursor SET position = $3, facts_sequence = $4, behind = $5
WHERE tenant_id = $1 AND slice = $2 AND position = $6
