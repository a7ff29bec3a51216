UPDATE segmenter SET state = ?2, segmenter = ?3 WHERE digest = ?1;
