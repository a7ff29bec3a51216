SELECT tenant_id, slice, cursor, facts_sequence, closed_on, version, behind, judged FROM slice_cursor ORDER BY tenant_id, slice;
