SELECT FROM segmenter WHERE digest = $1 FOR UPDATE
