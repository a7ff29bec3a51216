INSERT INTO replica (replica_id, digest, name, beat_at, problem) VALUES (?1, ?2, ?3, ?4, ?5);
