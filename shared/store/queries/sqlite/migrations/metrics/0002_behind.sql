-- Keys of the segmentations that were behind the slice, separated by spaces.
ALTER TABLE moves_cursor ADD COLUMN behind TEXT NOT NULL DEFAULT '';
