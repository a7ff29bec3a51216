INSERT INTO segmenter_code (digest, chunk, code) VALUES ($1, $2, $3)
