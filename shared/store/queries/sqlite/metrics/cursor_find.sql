SELECT cursor, facts_sequence, behind FROM moves_cursor WHERE tenant_id = ?1 AND slice = ?2;
