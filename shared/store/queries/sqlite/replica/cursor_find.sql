SELECT cursor FROM replica_cursor WHERE tenant_id = ?1 AND slice = ?2;
