//! sextant-segmentation
