SELECT dedupe.hour, dedupe.hash, dedupe.payload
FROM unnest($2::integer[], $3::uuid[]) AS wanted (hour, hash) JOIN dedupe USING (hour, hash)
WHERE dedupe.tenant_id = $1
