UPDATE tenant SET import_opened_at = ?2
WHERE tenant_id = ?1 AND (import_opened_at IS NULL) <> (?2 IS NULL)
RETURNING n_slices;
