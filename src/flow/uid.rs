//! Identifiers of flows in the style of Zeek: `C` and 17 letters and digits.

use super::record::FlowId;

/// Returns the identifier of a flow, derived from the time and number of its first packet and from
/// its ports: it is the same each time a capture is read.
pub fn uid(id: &FlowId) -> String {
    const BASE62_DIGITS: &[u8; 62] =
        b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let ports = u64::from(id.orig().port()) << 16 | u64::from(id.resp().port());
    let low = splitmix64(id.first_time.0 as u64 ^ splitmix64(ports));
    let high = splitmix64(low ^ id.first_frame);
    let mut bits = u128::from(high) << 64 | u128::from(low);
    let mut text = String::with_capacity(18);
    text.push('C');
    for _ in 0..17 {
        text.push(char::from(BASE62_DIGITS[(bits % 62) as usize]));
        bits /= 62;
    }
    text
}

/// Applies the mixing step of SplitMix64 (G. Steele, D. Lea, C. Flood, 2014).
fn splitmix64(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}
