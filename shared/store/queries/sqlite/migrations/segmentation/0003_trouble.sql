-- Why an account could not be judged anew: its segmenter fails with it.
ALTER TABLE membership ADD COLUMN trouble TEXT NOT NULL DEFAULT '';
