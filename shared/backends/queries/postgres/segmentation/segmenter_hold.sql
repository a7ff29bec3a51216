SELECT digest, segmenter_id, version, platform, state, published_at, segmenter FROM segmenter WHERE digest = $1 FOR SHARE
