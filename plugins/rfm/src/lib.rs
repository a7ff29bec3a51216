//! sextant-segmenter-rfm
