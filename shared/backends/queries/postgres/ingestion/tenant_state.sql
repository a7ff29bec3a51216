SELECT import_opened_at IS NOT NULL, fixed_clock FROM tenant WHERE tenant_id = $1
