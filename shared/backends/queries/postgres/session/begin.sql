BEGIN; SET LOCAL app.tenant_id = '{tenant}'
