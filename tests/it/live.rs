//! The built program on real sockets: what is sent over loopback is shown, saved and counted, however the capture ends.
//!
//! Capturing needs CAP_NET_RAW. Where it is missing these tests say `skipped: …` on standard error and pass, unless the
//! environment variable `LCAP_LIVE` is `required`, which makes that a failure. What a machine cannot offer at all (namespaces,
//! file capabilities) is skipped aloud even then, and fails only with `LCAP_LIVE=everything`.

mod container;
pub(crate) mod session;
pub(crate) mod space;
mod told;
mod traffic;

mod shown;

mod saved;

mod flows;

mod parts;

mod owners;

mod births;

mod beside;

mod ends;

mod drain;

mod losses;

mod signals;

mod rotation;

mod devices;

mod vanishing;

mod privileges;
