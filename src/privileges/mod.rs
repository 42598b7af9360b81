//! Privileges of this process: what it holds, for how long, and how it gives them up
//! (capabilities(7), landlock(7), seccomp(2)).
//!
//! The program file can have capabilities that the caller does not have. So they are not in effect
//! while lcap opens what the caller names, and are [`raised`] only around the calls that need them.
//! Capabilities that the caller has anyway, e.g. those of root, remain in effect until then. Before
//! lcap processes the first packet, it gives up all of them, and restricts its files and system
//! calls. Capabilities and Landlock rules are those of a thread and of the threads that it starts
//! later: lcap gives them up before it starts any.

mod capabilities;
#[cfg(feature = "cli")]
pub mod sandbox;
#[cfg(feature = "cli")]
mod system_calls;
#[cfg(feature = "cli")]
pub mod user;

pub use capabilities::{CAPTURE, LOAD_BPF, READ_PROCESSES, raised};
#[cfg(feature = "cli")]
pub use capabilities::{Permitted, lower};
#[cfg(feature = "cli")]
pub use rustix::thread::CapabilitySet;
