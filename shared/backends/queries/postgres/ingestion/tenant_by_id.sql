SELECT tenant_id, name, time_zone, base_currency, fixed_clock, retention_days, n_slices, import_opened_at, created_at, rfm_tie_policy FROM tenant WHERE tenant_id = $1
