SELECT 1 FROM tenant WHERE tenant_id = ?1 AND import_opened_at IS NOT NULL;
