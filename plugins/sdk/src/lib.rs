//! sextant-segmenter
