SELECT key_id, secret_sha256, tenant_id, scopes, title, created_at, expires_at, revoked_at FROM access_key WHERE key_id = $1
