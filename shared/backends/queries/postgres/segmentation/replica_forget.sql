DELETE FROM replica WHERE replica_id = $1 OR beat_at < now() - $2::bigint * interval '1 microsecond'
