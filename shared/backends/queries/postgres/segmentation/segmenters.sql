SELECT digest, segmenter_id, version, platform, state, published_at, segmenter FROM segmenter
ORDER BY segmenter_id, version, platform
