SELECT tenant_id, slice, position, facts_sequence, closed_on, version, behind, judged FROM cursor ORDER BY tenant_id, slice
