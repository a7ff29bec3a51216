-- Waits for the transactions that hold the tenant as it is; those that come later wait for this one.
SELECT pg_advisory_xact_lock($1)
