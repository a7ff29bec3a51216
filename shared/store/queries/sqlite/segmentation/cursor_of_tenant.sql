SELECT slice, cursor, facts_sequence, closed_on, version, behind, judged FROM slice_cursor WHERE tenant_id = ?1 ORDER BY slice;
