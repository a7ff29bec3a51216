INSERT INTO request (tenant_id, method, request_id, parameters, stored_at, answer) VALUES (?1, ?2, ?3, ?4, ?5, ?6);
