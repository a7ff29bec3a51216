SELECT min(week), max(week) FROM account_event WHERE tenant_id = $1
