-- Segmentations that are behind their slice: of each its number (2 bytes) and its own cursor (8 bytes), big-endian.
ALTER TABLE cursor ADD COLUMN behind bytea NOT NULL DEFAULT '';
