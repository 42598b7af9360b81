//! Names of commands, subcommands and options, compared without case.

/// Maximum length of a keyword in bytes; a longer string is no keyword.
const MAX_KEYWORD_LEN: usize = 32;

/// A keyword in upper case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Keyword {
    bytes: [u8; MAX_KEYWORD_LEN],
    len: u8,
}

impl Keyword {
    /// Returns the keyword, or an empty one if the string is too long.
    pub(super) fn new(string: &[u8]) -> Keyword {
        let mut keyword = Keyword::default();
        if let Some(bytes) = keyword.bytes.get_mut(..string.len()) {
            bytes.copy_from_slice(string);
            bytes.make_ascii_uppercase();
            keyword.len = string.len() as u8;
        }
        keyword
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}
