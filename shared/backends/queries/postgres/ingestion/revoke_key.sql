UPDATE access_key SET revoked_at = coalesce(revoked_at, $3)
WHERE key_id = $2 AND ($1::uuid IS NULL OR tenant_id = $1)
RETURNING key_id, secret_sha256, tenant_id, scopes, title, created_at, expires_at, revoked_at
