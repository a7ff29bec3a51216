-- Which entry announced a batch: its number orders what became known at one instant.
CREATE INDEX feed_batch ON feed (tenant_id, batch_id) WHERE batch_id IS NOT NULL;
