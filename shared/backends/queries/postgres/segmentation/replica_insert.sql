INSERT INTO replica (replica_id, digest, name, beat_at, problem)
SELECT $1, said.digest, $2, now(), said.problem FROM unnest($3::text[], $4::text[]) AS said (digest, problem)
