SELECT closed_on, known_at, models
FROM model WHERE tenant_id = $1 AND ($2::integer IS NULL OR closed_on < $2) ORDER BY closed_on DESC LIMIT $3
