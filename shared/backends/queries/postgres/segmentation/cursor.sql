SELECT position, facts_sequence, closed_on, version, behind, judged FROM cursor WHERE tenant_id = $1 AND slice = $2
