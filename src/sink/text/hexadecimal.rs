//! Hexadecimal lines in tcpdump's format, for octets that are not dissected.

use super::printer::Printer;

/// Writes lines of 16 octets, in pairs; each line begins with `indent` and its offset. Writes
/// nothing if `bytes` is empty.
pub(super) fn print(p: &mut Printer, indent: &str, bytes: &[u8]) {
    for (line, octets) in bytes.chunks(16).enumerate() {
        p.format(format_args!("{indent}0x{:04x}: ", line * 16));
        for pair in octets.chunks(2) {
            p.push_str(" ");
            p.push_hex(pair);
        }
    }
}
