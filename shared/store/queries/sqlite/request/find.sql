SELECT parameters, answer FROM request WHERE tenant_id = ?1 AND method = ?2 AND request_id = ?3;
