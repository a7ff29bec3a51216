UPDATE segmenter SET state = $2, segmenter = $3
WHERE digest = $1 AND state = ANY ($4)
  AND NOT ($5 AND EXISTS (SELECT FROM segmenter_use WHERE segmenter_use.digest = $1))
RETURNING digest, segmenter_id, version, platform, state, published_at, segmenter
