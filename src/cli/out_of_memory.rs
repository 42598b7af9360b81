//! Memory allocation of the command, which ends with a message if there is no memory.
#![allow(unsafe_code)] // Allocators are unsafe by definition.

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator. If it has no memory, the program ends with a message and the exit code
/// 1; Rust's default is to abort, which leaves a core file.
#[derive(Debug)]
pub struct Allocator;

const MESSAGE: &[u8] =
    b"lcap: out of memory: free some memory, raise the limit (ulimit -v), or limit the input with a \
      port or a filter expression\n";

// SAFETY: all calls are passed on to the system's allocator.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        checked(unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        checked(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        checked(unsafe { System.realloc(memory, layout, len) })
    }
}

#[inline]
fn checked(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        end();
    }
    memory
}

#[cold]
fn end() -> ! {
    let _ = rustix::io::write(rustix::stdio::stderr(), MESSAGE);
    // SAFETY: ends the process without running any code that could allocate.
    unsafe { libc::_exit(1) }
}
