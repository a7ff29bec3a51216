-- Held by a transaction that makes accounts known or keeps facts of unknown ones, so that neither misses the other.
SELECT pg_advisory_xact_lock($1)
