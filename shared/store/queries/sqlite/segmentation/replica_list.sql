SELECT replica_id, name, digest, problem FROM replica WHERE beat_at >= CAST(unixepoch('subsec') * 1000000 AS INTEGER) - ?1 ORDER BY replica_id, digest;
