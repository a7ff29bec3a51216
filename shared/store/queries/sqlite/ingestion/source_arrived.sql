UPDATE source_count SET
    last_received_at = MAX(last_received_at, ?3),
    watermark = MAX(COALESCE(watermark, ?4), COALESCE(?4, watermark))
WHERE tenant_id = ?1 AND source = ?2;
