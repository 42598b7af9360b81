//! Octets that no printer understands, as lines of hexadecimal: what tcpdump does with them.

use super::super::printer::Printer;

/// Writes lines of 16 octets, in pairs, each line begun with `indent` and its offset; nothing where there are no octets.
pub(in super::super) fn print(p: &mut Printer, indent: &str, bytes: &[u8]) {
    for (line, octets) in bytes.chunks(16).enumerate() {
        p.format(format_args!("{indent}0x{:04x}: ", line * 16));
        for pair in octets.chunks(2) {
            p.text(" ");
            p.hex(pair);
        }
    }
}
