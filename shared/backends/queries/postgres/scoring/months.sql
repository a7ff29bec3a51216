SELECT uid, month, cells FROM rollup_month WHERE tenant_id = $1 AND slice = $2 ORDER BY uid, month
