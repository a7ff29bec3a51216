SELECT uid, external_id, slice FROM account WHERE tenant_id = $1 AND external_id = ANY($2)
