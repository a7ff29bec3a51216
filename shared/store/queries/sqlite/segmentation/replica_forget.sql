DELETE FROM replica WHERE replica_id = ?1 OR beat_at < ?2;
