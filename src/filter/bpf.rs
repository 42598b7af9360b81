//! BPF expressions: compiled by libpcap, run here (S. McCanne, V. Jacobson, "The BSD Packet Filter", 1993; pcap-filter(7)).
//!
//! libpcap can run a program over bytes too, but its Rust interface takes the captured length for the length on the wire, so
//! `greater` and `len` would be wrong on cut packets.

use pcap::{Capture, Linktype};

use super::refused;
use crate::error::Result;
use crate::packet::LinkType;
use crate::source::live::message;

/// A compiled expression for one link type.
#[derive(Debug, Clone)]
pub(super) struct Program {
    instructions: Vec<Instruction>,
}

/// One instruction of the classic BPF machine.
#[derive(Debug, Clone, Copy)]
struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    k: u32,
}

/// Number of words of scratch memory.
const SCRATCH: usize = 16;
/// Loads from here on ask the kernel about a packet (`SKF_AD_OFF`), not the packet.
const KERNEL_DATA: u32 = 0xffff_f000;
/// `BPF_LD | BPF_ABS`, without the size.
const LOAD_ABSOLUTE: u16 = 0x20;

impl Program {
    /// Compiles an expression for frames of a link type.
    pub(super) fn compile(link: LinkType, expression: &str) -> Result<Program> {
        let number = match link {
            // libpcap knows raw IP by a number of its own machine's.
            LinkType::RAW => 12,
            LinkType(number) => i32::from(number),
        };
        let compiled = Capture::dead(Linktype(number))
            .and_then(|capture| capture.compile(expression, true))
            .map_err(|error| refused(expression, message(&error)))?;
        let instructions: Option<Vec<Instruction>> = compiled
            .get_instructions()
            .iter()
            .map(Instruction::read)
            .collect();
        let instructions = instructions
            .ok_or_else(|| refused(expression, "this libpcap's programs cannot be read"))?;
        let asks_kernel = |i: &Instruction| i.code & 0xe7 == LOAD_ABSOLUTE && i.k >= KERNEL_DATA;
        if instructions.iter().any(asks_kernel) {
            return Err(refused(
                expression,
                "asks which way a packet went (inbound, outbound, ifindex …), which has no answer on \
                 loopback, where every packet goes both ways; use `src port` and `dst port`",
            ));
        }
        Ok(Program { instructions })
    }

    /// Whether a frame of `wire_len` bytes, of which `bytes` were captured, is accepted.
    pub(super) fn matches(&self, bytes: &[u8], wire_len: u32) -> bool {
        self.run(bytes, wire_len).unwrap_or(0) != 0
    }

    /// The program's value; none where it loads a byte that was not captured or divides by 0, which rejects the packet.
    fn run(&self, bytes: &[u8], wire_len: u32) -> Option<u32> {
        let (mut a, mut x, mut memory) = (0_u32, 0_u32, [0_u32; SCRATCH]);
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
                0x20 => a = word(bytes, k)?,
                0x28 => a = half(bytes, k)?,
                0x30 => a = byte(bytes, k)?,
                0x40 => a = word(bytes, x.checked_add(k)?)?,
                0x48 => a = half(bytes, x.checked_add(k)?)?,
                0x50 => a = byte(bytes, x.checked_add(k)?)?,
                0x80 => a = wire_len,
                0x00 => a = k,
                0x60 => a = *memory.get(k as usize)?,
                0x01 => x = k,
                0x61 => x = *memory.get(k as usize)?,
                0x81 => x = wire_len,
                // Four times the low nibble: the length of an IPv4 header.
                0xb1 => x = (byte(bytes, k)? & 15) << 2,
                // Stores.
                0x02 => *memory.get_mut(k as usize)? = a,
                0x03 => *memory.get_mut(k as usize)? = x,
                // Jumps.
                0x05 => at = at.checked_add(k as usize)?,
                _ if code & 7 == 5 => {
                    let operand = if code & 8 == 0 { k } else { x };
                    let holds = match code & 0xf0 {
                        0x10 => a == operand,
                        0x20 => a > operand,
                        0x30 => a >= operand,
                        0x40 => a & operand != 0,
                        _ => return None,
                    };
                    at += usize::from(if holds { jump_true } else { jump_false });
                }
                // Arithmetic.
                _ if code & 7 == 4 => {
                    a = arithmetic(code & 0xf0, a, if code & 8 == 0 { k } else { x })?;
                }
                // Results and moves.
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

impl Instruction {
    /// The crate keeps an instruction's fields to itself and shows them as "code jt jf k".
    fn read(instruction: &pcap::BpfInstruction) -> Option<Instruction> {
        let text = instruction.to_string();
        let mut fields = text.split(' ');
        Some(Instruction {
            code: fields.next()?.parse().ok()?,
            jump_true: fields.next()?.parse().ok()?,
            jump_false: fields.next()?.parse().ok()?,
            k: fields.next()?.parse().ok()?,
        })
    }
}

fn byte(bytes: &[u8], at: u32) -> Option<u32> {
    bytes.get(at as usize).copied().map(u32::from)
}

fn half(bytes: &[u8], at: u32) -> Option<u32> {
    let field = bytes.get(at as usize..)?.first_chunk()?;
    Some(u32::from(u16::from_be_bytes(*field)))
}

fn word(bytes: &[u8], at: u32) -> Option<u32> {
    bytes
        .get(at as usize..)?
        .first_chunk()
        .copied()
        .map(u32::from_be_bytes)
}
