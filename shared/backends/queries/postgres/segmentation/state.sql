SELECT learned FROM segmenter_state WHERE tenant_id = $1 AND digest = $2 ORDER BY chunk
