INSERT INTO transition (tenant_id, id, segmentation, uid, moved_at, known_at, to_state, to_segment, value_minor, downward, is_move, is_correction, transition)
SELECT $1, new.id, new.segmentation, new.uid, new.moved_at, new.known_at, new.to_state, new.to_segment, new.value_minor, new.downward, new.is_move, new.is_correction, new.transition
FROM unnest($2::uuid[], $3::integer[], $4::uuid[], $5::bigint[], $6::bigint[], $7::smallint[], $8::text[], $9::bigint[], $10::boolean[], $11::boolean[], $12::boolean[], $13::bytea[])
  AS new (id, segmentation, uid, moved_at, known_at, to_state, to_segment, value_minor, downward, is_move, is_correction, transition)
