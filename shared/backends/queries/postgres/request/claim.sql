-- Waits for another delivery of the same request that is under way. The answer is written by the same transaction.
INSERT INTO request (tenant_id, method, request_id, parameters, stored_at, answer) VALUES ($1, $2, $3, $4, $5, '')
ON CONFLICT (tenant_id, method, request_id) DO NOTHING
