//! Integration tests of lcap in one binary.

// clippy exempts functions with #[test], but not the helpers that they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod command;
mod craft;

mod cli;

mod appended_captures;
mod blocked_readers;
mod capture_times;
mod cases;
mod cut_files;
mod system_limits;

mod flows;

mod tcpdump;

mod flow_rows;
mod flows_command;
mod formats_page;
mod request_groups;

mod request_rows;
mod requests_command;

mod follow;

mod tidy;

mod doctor;
mod files;
mod hostile;
mod live;
mod output_files;
mod pipes;
mod printable;
mod requests_postgresql;
mod sandbox;
