SELECT external_id, uid, slice FROM account
WHERE tenant_id = ?1 AND external_id > ?2
ORDER BY external_id
LIMIT ?3;
