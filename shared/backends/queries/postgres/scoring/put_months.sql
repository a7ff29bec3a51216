INSERT INTO rollup_month (tenant_id, slice, uid, month, cells)
SELECT $1, $2, new.uid, new.month, new.cells FROM unnest($3::uuid[], $4::integer[], $5::bytea[]) AS new (uid, month, cells)
ON CONFLICT (tenant_id, slice, uid, month) DO UPDATE SET cells = excluded.cells
