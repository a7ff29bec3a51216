//! sextant-segmenter-abi
