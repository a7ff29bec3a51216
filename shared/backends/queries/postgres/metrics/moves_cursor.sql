SELECT position, facts_sequence FROM move_cursor WHERE tenant_id = $1 AND slice = $2
