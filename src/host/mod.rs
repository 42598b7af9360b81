//! What this machine knows about itself: its interfaces.

pub mod interfaces;
