SELECT segmentation, uid, state, segment, entered_at, close_state, close_segment, transition, trouble FROM membership
WHERE tenant_id = ?1 AND slice = ?2
ORDER BY segmentation, uid;
