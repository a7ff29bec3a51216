INSERT INTO replica (replica_id, digest, name, beat_at, problem) VALUES (?1, ?2, ?3, CAST(unixepoch('subsec') * 1000000 AS INTEGER), ?4);
