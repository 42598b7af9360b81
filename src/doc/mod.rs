//! Reference pages: formats and fields, doctor codes, limits, measurements, design decisions.
//!
//! The command prints them as manual pages: `lcap man formats`.

#[doc = include_str!("formats.md")]
pub mod formats {}

#[doc = include_str!("doctor.md")]
pub mod doctor {}

#[doc = include_str!("limits.md")]
pub mod limits {}

#[doc = include_str!("performance.md")]
pub mod performance {}

#[doc = include_str!("internals.md")]
pub mod internals {}
