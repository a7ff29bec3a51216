SELECT uid, segmentation, segment, at, known_at FROM segment_move
WHERE tenant_id = ?1 AND slice = ?2
ORDER BY ordinal;
