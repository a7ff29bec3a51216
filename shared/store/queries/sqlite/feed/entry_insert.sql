INSERT INTO feed_entry (tenant_id, slice, sequence, payload) VALUES (?1, ?2, ?3, ?4);
