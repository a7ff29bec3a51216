INSERT INTO tenant (tenant_id, name, time_zone, base_currency, fixed_clock, retention_days, n_slices, import_opened_at, created_at, rfm_tie_policy)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10);
