CREATE TABLE naive_fact (tenant_id BLOB NOT NULL, hour INTEGER NOT NULL, hash BLOB NOT NULL, record BLOB NOT NULL);
