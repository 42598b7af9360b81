//! Whole lines.
