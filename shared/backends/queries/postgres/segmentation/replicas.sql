SELECT replica_id, name, beat_at, digest, problem FROM replica WHERE beat_at >= $1 ORDER BY replica_id, digest
