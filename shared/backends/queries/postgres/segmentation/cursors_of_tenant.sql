SELECT slice, position, facts_sequence, closed_on, version, behind, judged FROM cursor WHERE tenant_id = $1 ORDER BY slice
