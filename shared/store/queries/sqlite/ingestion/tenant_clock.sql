SELECT fixed_clock FROM tenant WHERE tenant_id = ?1;
