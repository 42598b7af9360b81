//! Classic BPF programs, compiled by libpcap and executed here (S. McCanne, V. Jacobson, "The BSD
//! Packet Filter", 1993; pcap-filter(7)).
//!
//! libpcap can execute a program too, but its Rust interface uses the captured length as the length
//! on the wire, so `greater` and `len` would be wrong for truncated packets.

use pcap::{Capture, Linktype};

use crate::error::{Error, Result, libpcap_message};
use crate::packet::LinkType;

/// A compiled expression for one link type.
#[derive(Debug, Clone)]
pub(super) struct BpfProgram {
    instructions: Vec<Instruction>,
}

/// An instruction of the classic BPF machine, in the layout of `struct bpf_insn` (pcap/bpf.h).
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    k: u32,
}

/// Size of the scratch memory, in 32-bit words.
const BPF_MEMWORDS: usize = 16;
/// Loads at this offset or above return kernel metadata about a packet, not bytes of the packet.
const SKF_AD_OFF: u32 = 0xffff_f000;
/// `BPF_LD | BPF_ABS`, without the size bits.
const BPF_LD_ABS: u16 = 0x20;

impl BpfProgram {
    /// Compiles an expression for frames of a link type.
    pub(super) fn compile(link: LinkType, expression: &str) -> Result<BpfProgram> {
        let number = match link {
            // libpcap's number for raw IP depends on the platform and differs from that in files.
            LinkType::RAW => 12,
            LinkType(number) => i32::from(number),
        };
        let compiled = Capture::dead(Linktype(number))
            .and_then(|capture| capture.compile(expression, true))
            .map_err(|error| filter_error(expression, libpcap_message(&error)))?;
        let instructions = instructions(&compiled);
        let reads_metadata = |i: &Instruction| i.code & 0xe7 == BPF_LD_ABS && i.k >= SKF_AD_OFF;
        if instructions.iter().any(reads_metadata) {
            return Err(filter_error(
                expression,
                "filters on direction or interface (inbound, outbound, ifindex …) are not possible \
                 on loopback, where every packet is both sent and received; use `src port` or \
                 `dst port`",
            ));
        }
        Ok(BpfProgram { instructions })
    }

    /// Returns true if the program accepts a frame of `wire_len` bytes, of which `bytes` were
    /// captured.
    pub(super) fn matches(&self, bytes: &[u8], wire_len: u32) -> bool {
        self.run(bytes, wire_len).unwrap_or(0) != 0
    }

    /// Returns the program's result; `None` if it loads a byte that was not captured or divides by
    /// 0, which rejects the packet.
    fn run(&self, bytes: &[u8], wire_len: u32) -> Option<u32> {
        let (mut a, mut x, mut memory) = (0_u32, 0_u32, [0_u32; BPF_MEMWORDS]);
        let mut at = 0;
        loop {
            let Instruction {
                code,
                jump_true,
                jump_false,
                k,
            } = *self.instructions.get(at)?;
            at += 1;
            match code {
                // Loads.
                0x20 => a = load_u32(bytes, k)?,
                0x28 => a = load_u16(bytes, k)?,
                0x30 => a = load_u8(bytes, k)?,
                0x40 => a = load_u32(bytes, x.checked_add(k)?)?,
                0x48 => a = load_u16(bytes, x.checked_add(k)?)?,
                0x50 => a = load_u8(bytes, x.checked_add(k)?)?,
                0x80 => a = wire_len,
                0x00 => a = k,
                0x60 => a = *memory.get(k as usize)?,
                0x01 => x = k,
                0x61 => x = *memory.get(k as usize)?,
                0x81 => x = wire_len,
                // Four times the low nibble: the length of an IPv4 header.
                0xb1 => x = (load_u8(bytes, k)? & 15) << 2,
                // Stores.
                0x02 => *memory.get_mut(k as usize)? = a,
                0x03 => *memory.get_mut(k as usize)? = x,
                // Jumps.
                0x05 => at = at.checked_add(k as usize)?,
                _ if code & 7 == 5 => {
                    let operand = if code & 8 == 0 { k } else { x };
                    let is_true = match code & 0xf0 {
                        0x10 => a == operand,
                        0x20 => a > operand,
                        0x30 => a >= operand,
                        0x40 => a & operand != 0,
                        _ => return None,
                    };
                    at += usize::from(if is_true { jump_true } else { jump_false });
                }
                // Arithmetic.
                _ if code & 7 == 4 => {
                    a = arithmetic(code & 0xf0, a, if code & 8 == 0 { k } else { x })?;
                }
                // Returns and moves.
                0x06 => return Some(k),
                0x16 => return Some(a),
                0x07 => x = a,
                0x87 => a = x,
                _ => return None,
            }
        }
    }
}

fn arithmetic(operation: u16, a: u32, operand: u32) -> Option<u32> {
    Some(match operation {
        0x00 => a.wrapping_add(operand),
        0x10 => a.wrapping_sub(operand),
        0x20 => a.wrapping_mul(operand),
        0x30 => a.checked_div(operand)?,
        0x40 => a | operand,
        0x50 => a & operand,
        0x60 => a.checked_shl(operand).unwrap_or(0),
        0x70 => a.checked_shr(operand).unwrap_or(0),
        0x80 => a.wrapping_neg(),
        0x90 => a.checked_rem(operand)?,
        0xa0 => a ^ operand,
        _ => return None,
    })
}

/// Returns a copy of the instructions of a program, whose fields the pcap crate keeps private.
#[allow(unsafe_code)]
fn instructions(program: &pcap::BpfProgram) -> Vec<Instruction> {
    let compiled = program.get_instructions();
    const { assert!(size_of::<pcap::BpfInstruction>() == size_of::<Instruction>()) };
    // SAFETY: `pcap::BpfInstruction` is a transparent wrapper of libpcap's `struct bpf_insn`
    // (pcap/bpf.h): two bytes, two times one byte and four bytes in C layout, as `Instruction`. All
    // of its bit patterns are valid, and its alignment is that of the wrapped struct.
    let instructions = unsafe {
        std::slice::from_raw_parts(compiled.as_ptr().cast::<Instruction>(), compiled.len())
    };
    instructions.to_vec()
}

/// Returns the error for an expression that cannot be used, with the reason.
fn filter_error(expression: &str, reason: impl Into<String>) -> Error {
    Error::Filter {
        expression: expression.to_owned(),
        what: reason.into(),
    }
}

fn load_u8(bytes: &[u8], at: u32) -> Option<u32> {
    bytes.get(at as usize).copied().map(u32::from)
}

fn load_u16(bytes: &[u8], at: u32) -> Option<u32> {
    let field = bytes.get(at as usize..)?.first_chunk()?;
    Some(u32::from(u16::from_be_bytes(*field)))
}

fn load_u32(bytes: &[u8], at: u32) -> Option<u32> {
    bytes
        .get(at as usize..)?
        .first_chunk()
        .copied()
        .map(u32::from_be_bytes)
}
