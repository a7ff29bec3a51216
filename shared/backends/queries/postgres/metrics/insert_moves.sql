INSERT INTO account_move (tenant_id, slice, uid, segmentation, segment, moved_at, known_at)
SELECT $1, $2, new.uid, new.segmentation, new.segment, new.moved_at, new.known_at
FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
  WITH ORDINALITY AS new (uid, segmentation, segment, moved_at, known_at, place)
ORDER BY new.place
