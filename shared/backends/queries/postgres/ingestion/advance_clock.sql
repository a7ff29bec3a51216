UPDATE tenant SET fixed_clock = $2 WHERE tenant_id = $1 AND fixed_clock <= $2 RETURNING n_slices
