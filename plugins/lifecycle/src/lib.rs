//! sextant-segmenter-lifecycle
