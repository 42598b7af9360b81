//! IP headers and extension headers (RFC 791, RFC 8200, RFC 2675, RFC 4302).

use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice, err,
};

use super::DecodeResult;
use crate::packet::{DecodeProblem, Payload};

/// Decoded IP header and extensions; offsets count from the IP header.
#[derive(Debug, Clone, Copy)]
pub(super) struct IpDatagram<'a> {
    pub(super) proto: u8,
    /// Offset of the header with the fragment fields, if the packet is a fragment.
    pub(super) fragment: Option<usize>,
    /// True for a fragment without the start of the datagram.
    pub(super) is_later_fragment: bool,
    /// Offset of the data after the header and its extensions.
    pub(super) transport: usize,
    /// Data after the header and its extensions.
    pub(super) payload: Payload<'a>,
}

/// Parses an IPv4 datagram of which `bytes` were captured; `wire_len` is the number of bytes on the
/// wire up to the end of the frame.
#[inline]
pub(super) fn parse_ipv4(bytes: &[u8], wire_len: usize) -> DecodeResult<IpDatagram<'_>> {
    use err::ipv4::HeaderSliceError;
    let header = match Ipv4HeaderSlice::from_slice(bytes) {
        Ok(header) => header,
        Err(HeaderSliceError::Len(_)) => return parse_truncated_ipv4(bytes, wire_len),
        Err(HeaderSliceError::Content(_)) => return Err(DecodeProblem::BadIpLength),
    };
    let header_len = header.slice().len();
    let total = match usize::from(header.total_len()) {
        0 => wire_len,
        total => total.min(wire_len),
    };
    let len = total
        .checked_sub(header_len)
        .ok_or(DecodeProblem::BadIpLength)?;
    let is_later_fragment = header.fragments_offset().value() != 0;
    let mut datagram = IpDatagram {
        proto: header.protocol().0,
        fragment: header.is_fragmenting_payload().then_some(0),
        is_later_fragment,
        transport: header_len,
        payload: payload_at(bytes, header_len, len),
    };
    if header.protocol() == IpNumber::AUTHENTICATION_HEADER && !is_later_fragment {
        // A truncated authentication header ends the chain.
        let _ = datagram.skip_authentication_header();
    }
    Ok(datagram)
}

/// Parses the fixed part of an IPv4 header that was truncated within its options.
#[cold]
fn parse_truncated_ipv4(bytes: &[u8], wire_len: usize) -> DecodeResult<IpDatagram<'_>> {
    let fixed: &[u8; 20] = bytes.first_chunk().ok_or(DecodeProblem::TruncatedIp)?;
    let header_len = usize::from(fixed[0] & 15) * 4;
    let total = usize::from(u16::from_be_bytes([fixed[2], fixed[3]])).min(wire_len);
    let len = total
        .checked_sub(header_len)
        .ok_or(DecodeProblem::BadIpLength)?;
    Ok(IpDatagram {
        proto: fixed[9],
        fragment: None,
        is_later_fragment: false,
        transport: header_len,
        payload: payload_at(bytes, header_len, len),
    })
}

/// Parses an IPv6 datagram, with the same arguments as [`parse_ipv4`].
#[inline]
pub(super) fn parse_ipv6(bytes: &[u8], wire_len: usize) -> DecodeResult<IpDatagram<'_>> {
    let header = Ipv6HeaderSlice::from_slice(bytes).map_err(|_| DecodeProblem::TruncatedIp)?;
    let header_len = header.slice().len();
    let rest = wire_len
        .checked_sub(header_len)
        .ok_or(DecodeProblem::TruncatedIp)?;
    let len = match usize::from(header.payload_length()) {
        0 => jumbo_len(
            header.next_header(),
            bytes.get(header_len..).unwrap_or_default(),
        ),
        len => len,
    };
    let mut datagram = IpDatagram {
        proto: header.next_header().0,
        fragment: None,
        is_later_fragment: false,
        transport: header_len,
        payload: payload_at(bytes, header_len, len.min(rest)),
    };
    // A truncated extension header ends the chain; the addresses remain valid.
    let _ = datagram.skip_extension_headers();
    Ok(datagram)
}

/// Returns the length from a jumbo option in the hop-by-hop header (RFC 2675 section 2); 0 if the
/// option is absent.
fn jumbo_len(next: IpNumber, bytes: &[u8]) -> usize {
    const JUMBO_OPTION: u8 = 0xc2;
    let Ok(header) = Ipv6RawExtHeaderSlice::from_slice(bytes) else {
        return 0;
    };
    if next != IpNumber::IPV6_HEADER_HOP_BY_HOP {
        return 0;
    }
    let mut options = header.payload();
    loop {
        options = match *options {
            [0, ref rest @ ..] => rest,
            [JUMBO_OPTION, 4, a, b, c, d, ..] => return u32::from_be_bytes([a, b, c, d]) as usize,
            [_, len, ref rest @ ..] => rest.get(usize::from(len)..).unwrap_or_default(),
            _ => return 0,
        };
    }
}

/// Returns a payload of `len` bytes at offset `at`, with its captured part.
#[inline(always)]
fn payload_at(bytes: &[u8], at: usize, len: usize) -> Payload<'_> {
    let captured = bytes.get(at..).unwrap_or_default();
    Payload {
        bytes: captured.get(..len).unwrap_or(captured),
        len: len as u32,
    }
}

impl IpDatagram<'_> {
    /// Skips the IPv6 extension headers up to the transport header, or to a non-first fragment.
    fn skip_extension_headers(&mut self) -> DecodeResult<()> {
        loop {
            match IpNumber(self.proto) {
                IpNumber::IPV6_HEADER_HOP_BY_HOP
                | IpNumber::IPV6_ROUTE_HEADER
                | IpNumber::IPV6_DESTINATION_OPTIONS
                | IpNumber::SHIM6 => {
                    let header = Ipv6RawExtHeaderSlice::from_slice(self.payload.bytes);
                    let header = header.map_err(|_| DecodeProblem::TruncatedIp)?;
                    self.skip_header(header.next_header(), header.slice().len())?;
                }
                IpNumber::AUTHENTICATION_HEADER => self.skip_authentication_header()?,
                IpNumber::IPV6_FRAGMENTATION_HEADER => {
                    let header = Ipv6FragmentHeaderSlice::from_slice(self.payload.bytes);
                    let header = header.map_err(|_| DecodeProblem::TruncatedIp)?;
                    self.is_later_fragment = header.fragment_offset().value() != 0;
                    // An atomic fragment is a whole datagram: no fragment is recorded (RFC 6946).
                    if self.is_later_fragment || header.more_fragments() {
                        self.fragment = Some(self.transport);
                    }
                    self.skip_header(header.next_header(), header.slice().len())?;
                    if self.is_later_fragment {
                        return Ok(());
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn skip_authentication_header(&mut self) -> DecodeResult<()> {
        let header = IpAuthHeaderSlice::from_slice(self.payload.bytes);
        let header = header.map_err(|_| DecodeProblem::TruncatedIp)?;
        self.skip_header(header.next_header(), header.slice().len())
    }

    /// Skips an extension header of `len` bytes, all of which were captured.
    fn skip_header(&mut self, next: IpNumber, len: usize) -> DecodeResult<()> {
        self.proto = next.0;
        self.payload.len = self
            .payload
            .len
            .checked_sub(len as u32)
            .ok_or(DecodeProblem::BadIpLength)?;
        self.payload.bytes = self.payload.bytes.get(len..).unwrap_or_default();
        self.transport += len;
        Ok(())
    }
}
