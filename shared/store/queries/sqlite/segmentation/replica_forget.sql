DELETE FROM replica WHERE replica_id = ?1 OR beat_at < CAST(unixepoch('subsec') * 1000000 AS INTEGER) - ?2;
