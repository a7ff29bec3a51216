SELECT position FROM cursor WHERE tenant_id = $1 AND slice = $2
