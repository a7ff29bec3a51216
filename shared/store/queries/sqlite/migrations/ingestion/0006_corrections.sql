-- The source of a refused record, to be asked for by it; empty: refused before this was noted.
ALTER TABLE rejection ADD COLUMN source TEXT NOT NULL DEFAULT '';
