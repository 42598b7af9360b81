//! Cache of the text of owners, which are the same for all packets of a connection.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::process::Owner;

/// Text of owners, formatted once for each owner.
pub(super) struct OwnerCache {
    format: fn(&Owner, &mut Vec<u8>),
    /// Text by the address of the owner, which stays valid because the owner is kept with it.
    texts: HashMap<*const Owner, (Arc<Owner>, Vec<u8>), RandomState>,
}

/// Maximum number of owners; beyond it, the cache is cleared.
const MAX_CACHED_OWNERS: usize = 4096;

impl OwnerCache {
    /// Returns a cache of the text that `format` appends to its second argument.
    pub(super) fn new(format: fn(&Owner, &mut Vec<u8>)) -> OwnerCache {
        OwnerCache {
            format,
            texts: HashMap::default(),
        }
    }

    /// Writes the text of an owner, or `?` if there was no lookup.
    pub(super) fn write(&mut self, owner: Option<&Arc<Owner>>, out: &mut Vec<u8>) {
        let Some(owner) = owner else {
            return out.push(b'?');
        };
        if let Some((_, text)) = self.texts.get(&Arc::as_ptr(owner)) {
            return out.extend_from_slice(text);
        }
        if self.texts.len() >= MAX_CACHED_OWNERS {
            self.texts.clear();
        }
        let mut text = Vec::new();
        (self.format)(owner, &mut text);
        out.extend_from_slice(&text);
        self.texts
            .insert(Arc::as_ptr(owner), (Arc::clone(owner), text));
    }
}

impl fmt::Debug for OwnerCache {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("OwnerCache").finish_non_exhaustive()
    }
}
