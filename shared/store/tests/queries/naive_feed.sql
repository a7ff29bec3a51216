CREATE TABLE naive_sequence (tenant_id BLOB NOT NULL PRIMARY KEY, newest INTEGER NOT NULL);
CREATE TABLE naive_entry (tenant_id BLOB NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (tenant_id, sequence));
