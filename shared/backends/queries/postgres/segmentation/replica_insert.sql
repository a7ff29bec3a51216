INSERT INTO replica (replica_id, digest, name, beat_at, problem)
SELECT $1, said.digest, $2, $3, said.problem FROM unnest($4::text[], $5::text[]) AS said (digest, problem)
