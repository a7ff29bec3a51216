SELECT slice, cursor, facts_sequence, closed_on, version, behind FROM slice_cursor WHERE tenant_id = ?1 ORDER BY slice;
