//! Tests.

mod craft;

mod files;
mod pipes;
