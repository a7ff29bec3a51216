SELECT code FROM segmenter_code WHERE digest = $1 ORDER BY chunk
