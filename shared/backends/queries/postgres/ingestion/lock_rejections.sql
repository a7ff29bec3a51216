-- Held by a transaction that keeps refusals, in the order in which they came: two that keep the same ones would otherwise wait
-- for each other.
SELECT pg_advisory_xact_lock($1)
