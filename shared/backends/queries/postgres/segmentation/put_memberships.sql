INSERT INTO membership (tenant_id, slice, segmentation, uid, state, segment, entered_at, close_state, close_segment, transition, trouble)
SELECT $1, $2, new.segmentation, new.uid, new.state, new.segment, new.entered_at, new.close_state, new.close_segment, new.transition, new.trouble
FROM unnest($3::integer[], $4::uuid[], $5::smallint[], $6::text[], $7::bigint[], $8::smallint[], $9::text[], $10::bytea[], $11::text[])
  AS new (segmentation, uid, state, segment, entered_at, close_state, close_segment, transition, trouble)
ON CONFLICT (tenant_id, slice, segmentation, uid) DO UPDATE SET
  state = excluded.state, segment = excluded.segment, entered_at = excluded.entered_at, close_state = excluded.close_state,
  close_segment = excluded.close_segment, transition = excluded.transition, trouble = excluded.trouble
