SELECT 1 FROM revision WHERE digest = ?1 AND state <> 4 LIMIT 1;
