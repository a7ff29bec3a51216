UPDATE tenant SET importing = ?2 WHERE tenant_id = ?1 AND importing <> ?2 RETURNING n_slices;
