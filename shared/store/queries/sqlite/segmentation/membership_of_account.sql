SELECT segmentation, uid, state, segment, entered_at, close_state, close_segment, transition, trouble FROM membership
WHERE tenant_id = ?1 AND uid = ?2
ORDER BY segmentation;
