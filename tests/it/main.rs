//! Tests.
#![allow(clippy::unwrap_used, clippy::panic)] // A test that fails says so by a panic, in its helpers too.

mod craft;

mod files;
#[cfg(target_os = "linux")]
mod live;
mod pipes;
