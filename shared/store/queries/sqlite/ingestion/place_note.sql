INSERT INTO releasing (tenant_id, external_id, historical)
SELECT ?1, ?2, 0
WHERE EXISTS (SELECT 1 FROM place WHERE tenant_id = ?1 AND key = ?2)
  AND EXISTS (SELECT 1 FROM held INDEXED BY held_of_account WHERE tenant_id = ?1 AND external_id = ?2)
ON CONFLICT (tenant_id, external_id) DO NOTHING;
