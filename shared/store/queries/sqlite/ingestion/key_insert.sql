INSERT INTO access_key (key_id, secret_sha256, tenant_id, scopes, title, created_at, expires_at, revoked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (key_id) DO NOTHING;
