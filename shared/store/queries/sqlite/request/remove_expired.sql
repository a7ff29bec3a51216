DELETE FROM request WHERE tenant_id = ?1 AND (method, request_id) IN (
    SELECT method, request_id FROM request WHERE tenant_id = ?1 AND stored_at < ?2 ORDER BY stored_at LIMIT ?3
);
