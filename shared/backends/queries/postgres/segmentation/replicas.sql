SELECT replica_id, name, digest, problem FROM replica WHERE beat_at >= now() - $1::bigint * interval '1 microsecond' ORDER BY replica_id, digest
