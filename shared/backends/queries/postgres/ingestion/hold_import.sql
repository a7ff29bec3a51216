-- Until the end of a transaction that stores history, the open import stays open: who completes it waits. No row: none is open.
SELECT 1 FROM tenant WHERE tenant_id = $1 AND import_opened_at IS NOT NULL FOR SHARE
