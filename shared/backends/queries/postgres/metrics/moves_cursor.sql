SELECT position, facts_sequence, behind FROM move_cursor WHERE tenant_id = $1 AND slice = $2
