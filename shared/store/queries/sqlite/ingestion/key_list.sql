SELECT key_id, secret_sha256, tenant_id, scopes, title, created_at, expires_at, revoked_at
FROM access_key WHERE tenant_id = ?1 AND key_id > ?2
ORDER BY key_id
LIMIT ?3;
