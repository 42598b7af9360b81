//! IP headers and extension headers (RFC 791, RFC 8200, RFC 2675, RFC 4302).

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice, err,
};

use super::DecodeResult;
use crate::packet::{DecodeProblem, Fragment, Payload};

/// Decoded IP header and extensions; `A` is [`Ipv4Addr`] or [`Ipv6Addr`].
#[derive(Debug, Clone, Copy)]
pub(super) struct IpDatagram<'a, A> {
    pub(super) src: A,
    pub(super) dst: A,
    pub(super) proto: u8,
    pub(super) fragment: Option<Fragment>,
    pub(super) payload: Payload<'a>,
}

/// Parses an IPv4 datagram of which `bytes` were captured; `wire_len` is the number of bytes on the
/// wire up to the end of the frame.
#[inline(always)]
pub(super) fn parse_ipv4(bytes: &[u8], wire_len: usize) -> DecodeResult<IpDatagram<'_, Ipv4Addr>> {
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
    let offset = u32::from(header.fragments_offset().value()) * 8;
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        id: u32::from(header.identification()),
        offset,
        more_fragments: header.more_fragments(),
    });
    let mut datagram = IpDatagram {
        src: header.source_addr(),
        dst: header.destination_addr(),
        proto: header.protocol().0,
        fragment,
        payload: payload_at(bytes, header_len, len),
    };
    if header.protocol() == IpNumber::AUTHENTICATION_HEADER && offset == 0 {
        // A truncated authentication header ends the chain.
        let _ = datagram.skip_authentication_header();
    }
    Ok(datagram)
}

/// Parses the fixed part of an IPv4 header that was truncated within its options.
#[cold]
fn parse_truncated_ipv4(bytes: &[u8], wire_len: usize) -> DecodeResult<IpDatagram<'_, Ipv4Addr>> {
    let fixed: &[u8; 20] = bytes.first_chunk().ok_or(DecodeProblem::TruncatedIp)?;
    let [
        first,
        _,
        t0,
        t1,
        ..,
        proto,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = *fixed;
    let header_len = usize::from(first & 15) * 4;
    let total = usize::from(u16::from_be_bytes([t0, t1])).min(wire_len);
    let len = total
        .checked_sub(header_len)
        .ok_or(DecodeProblem::BadIpLength)?;
    Ok(IpDatagram {
        src: Ipv4Addr::new(s0, s1, s2, s3),
        dst: Ipv4Addr::new(d0, d1, d2, d3),
        proto,
        fragment: None,
        payload: payload_at(bytes, header_len, len),
    })
}

/// Parses an IPv6 datagram, with the same arguments as [`parse_ipv4`].
#[inline]
pub(super) fn parse_ipv6(bytes: &[u8], wire_len: usize) -> DecodeResult<IpDatagram<'_, Ipv6Addr>> {
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
        src: header.source_addr(),
        dst: header.destination_addr(),
        proto: header.next_header().0,
        fragment: None,
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

impl<A> IpDatagram<'_, A> {
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
                    let offset = u32::from(header.fragment_offset().value()) * 8;
                    let more = header.more_fragments();
                    // An atomic fragment is a whole datagram: no fragment is recorded (RFC 6946).
                    if offset != 0 || more {
                        let id = header.identification();
                        self.fragment = Some(Fragment {
                            id,
                            offset,
                            more_fragments: more,
                        });
                    }
                    self.skip_header(header.next_header(), header.slice().len())?;
                    if offset != 0 {
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
        Ok(())
    }
}
