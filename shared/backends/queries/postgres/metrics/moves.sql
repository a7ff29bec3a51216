SELECT uid, segmentation, segment, moved_at, known_at FROM account_move WHERE tenant_id = $1 AND slice = $2 ORDER BY place
