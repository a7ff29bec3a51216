SELECT held.hour, held.hash, held.payload
FROM unnest($2::integer[], $3::uuid[]) AS wanted (hour, hash) JOIN held USING (hour, hash)
WHERE held.tenant_id = $1
