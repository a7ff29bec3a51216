-- One migrator at a time in a database; released when the connection ends.
SELECT pg_advisory_lock(6010512187512);
