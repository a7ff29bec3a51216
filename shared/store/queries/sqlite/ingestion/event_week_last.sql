SELECT max(week) FROM account_event WHERE tenant_id = ?1 AND week <= ?2;
