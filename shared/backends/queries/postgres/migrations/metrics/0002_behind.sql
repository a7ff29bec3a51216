-- Keys of the segmentations that were behind the slice, separated by spaces.
ALTER TABLE move_cursor ADD COLUMN behind text NOT NULL DEFAULT '';
