-- When the open import was opened; null: none is open. One that is open already counts from when its tenant was made.
ALTER TABLE tenant ADD COLUMN import_opened_at INTEGER;
UPDATE tenant SET import_opened_at = created_at WHERE importing;
ALTER TABLE tenant DROP COLUMN importing;
