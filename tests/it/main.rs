//! Tests.

mod craft;

mod files;
mod live;
mod pipes;
