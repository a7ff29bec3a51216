//! sextant-segmenter-value_tiers
