-- Counts of members at a moment are read from it alone.
CREATE INDEX transition_membership ON transition (tenant_id, segmentation, uid, moved_at DESC, id DESC)
  INCLUDE (known_at, to_state, to_segment);
