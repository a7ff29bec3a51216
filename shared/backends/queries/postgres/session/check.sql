-- Fails with a division by zero on a standby and on a server that was switched to read-only.
SELECT 1 / (CASE WHEN pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' THEN 0 ELSE 1 END);
