-- Segmentations that are behind their slice: of each its number (2 bytes) and its own cursor (8 bytes), big-endian.
ALTER TABLE slice_cursor ADD COLUMN behind BLOB NOT NULL DEFAULT x'';
