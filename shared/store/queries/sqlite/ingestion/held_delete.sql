DELETE FROM held INDEXED BY held_of_account WHERE tenant_id = ?1 AND external_id = ?2 AND ordinal <= ?3;
