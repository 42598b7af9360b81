//! IP headers and the extensions that stand between them and the transport (RFC 791, RFC 8200, RFC 2675, RFC 4302).

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice, err,
};

use super::Read;
use crate::packet::{Fragment, Payload, Reason};

/// What an IP header and its extensions say; `A` is [`Ipv4Addr`] or [`Ipv6Addr`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Datagram<'a, A> {
    pub(super) src: A,
    pub(super) dst: A,
    pub(super) proto: u8,
    pub(super) fragment: Option<Fragment>,
    pub(super) payload: Payload<'a>,
}

/// Reads an IPv4 datagram of which `bytes` were captured, with `wire` bytes to the end of the frame.
#[inline(always)]
pub(super) fn version_4(bytes: &[u8], wire: usize) -> Read<Datagram<'_, Ipv4Addr>> {
    use err::ipv4::HeaderSliceError;
    let header = match Ipv4HeaderSlice::from_slice(bytes) {
        Ok(header) => header,
        Err(HeaderSliceError::Len(_)) => return cut_4(bytes, wire),
        Err(HeaderSliceError::Content(_)) => return Err(Reason::BadIpLength),
    };
    let header_len = header.slice().len();
    let total = match usize::from(header.total_len()) {
        0 => wire,
        total => total.min(wire),
    };
    let len = total.checked_sub(header_len).ok_or(Reason::BadIpLength)?;
    let offset = u32::from(header.fragments_offset().value()) * 8;
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        id: u32::from(header.identification()),
        offset,
        more: header.more_fragments(),
    });
    let mut datagram = Datagram {
        src: header.source_addr(),
        dst: header.destination_addr(),
        proto: header.protocol().0,
        fragment,
        payload: cut(bytes, header_len, len),
    };
    if header.protocol() == IpNumber::AUTHENTICATION_HEADER && offset == 0 {
        // Where it was cut the chain ends with it.
        let _ = datagram.pass_authentication();
    }
    Ok(datagram)
}

/// An IPv4 header that was cut among its options: its fixed part.
#[cold]
fn cut_4(bytes: &[u8], wire: usize) -> Read<Datagram<'_, Ipv4Addr>> {
    let fixed: &[u8; 20] = bytes.first_chunk().ok_or(Reason::CutIp)?;
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
    let total = usize::from(u16::from_be_bytes([t0, t1])).min(wire);
    let len = total.checked_sub(header_len).ok_or(Reason::BadIpLength)?;
    Ok(Datagram {
        src: Ipv4Addr::new(s0, s1, s2, s3),
        dst: Ipv4Addr::new(d0, d1, d2, d3),
        proto,
        fragment: None,
        payload: cut(bytes, header_len, len),
    })
}

/// Reads an IPv6 datagram likewise.
#[inline]
pub(super) fn version_6(bytes: &[u8], wire: usize) -> Read<Datagram<'_, Ipv6Addr>> {
    let header = Ipv6HeaderSlice::from_slice(bytes).map_err(|_| Reason::CutIp)?;
    let header_len = header.slice().len();
    let rest = wire.checked_sub(header_len).ok_or(Reason::CutIp)?;
    let len = match usize::from(header.payload_length()) {
        0 => jumbo(
            header.next_header(),
            bytes.get(header_len..).unwrap_or_default(),
        ),
        len => len,
    };
    let mut datagram = Datagram {
        src: header.source_addr(),
        dst: header.destination_addr(),
        proto: header.next_header().0,
        fragment: None,
        payload: cut(bytes, header_len, len.min(rest)),
    };
    // Where an extension was cut the chain ends with it: the addresses are known all the same.
    let _ = datagram.pass_extensions();
    Ok(datagram)
}

/// The length that a jumbo option in the hop-by-hop header gives (RFC 2675 section 2), else 0.
fn jumbo(next: IpNumber, bytes: &[u8]) -> usize {
    const JUMBO: u8 = 0xc2;
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
            [JUMBO, 4, a, b, c, d, ..] => return u32::from_be_bytes([a, b, c, d]) as usize,
            [_, len, ref rest @ ..] => rest.get(usize::from(len)..).unwrap_or_default(),
            _ => return 0,
        };
    }
}

/// `len` bytes from `at` on, and those of them that were captured.
#[inline(always)]
fn cut(bytes: &[u8], at: usize, len: usize) -> Payload<'_> {
    let captured = bytes.get(at..).unwrap_or_default();
    Payload {
        bytes: captured.get(..len).unwrap_or(captured),
        len: len as u32,
    }
}

impl<A> Datagram<'_, A> {
    /// Walks the chain of IPv6 extension headers to the transport, or to a fragment that is not the first.
    fn pass_extensions(&mut self) -> Read<()> {
        loop {
            match IpNumber(self.proto) {
                IpNumber::IPV6_HEADER_HOP_BY_HOP
                | IpNumber::IPV6_ROUTE_HEADER
                | IpNumber::IPV6_DESTINATION_OPTIONS
                | IpNumber::SHIM6 => {
                    let header = Ipv6RawExtHeaderSlice::from_slice(self.payload.bytes);
                    let header = header.map_err(|_| Reason::CutIp)?;
                    self.pass(header.next_header(), header.slice().len())?;
                }
                IpNumber::AUTHENTICATION_HEADER => self.pass_authentication()?,
                IpNumber::IPV6_FRAGMENTATION_HEADER => {
                    let header = Ipv6FragmentHeaderSlice::from_slice(self.payload.bytes);
                    let header = header.map_err(|_| Reason::CutIp)?;
                    let offset = u32::from(header.fragment_offset().value()) * 8;
                    let more = header.more_fragments();
                    // A fragment that is all of its datagram is no fragment (RFC 6946).
                    if offset != 0 || more {
                        let id = header.identification();
                        self.fragment = Some(Fragment { id, offset, more });
                    }
                    self.pass(header.next_header(), header.slice().len())?;
                    if offset != 0 {
                        return Ok(());
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn pass_authentication(&mut self) -> Read<()> {
        let header = IpAuthHeaderSlice::from_slice(self.payload.bytes);
        let header = header.map_err(|_| Reason::CutIp)?;
        self.pass(header.next_header(), header.slice().len())
    }

    /// Goes past an extension header of `len` bytes, all of which were captured.
    fn pass(&mut self, next: IpNumber, len: usize) -> Read<()> {
        self.proto = next.0;
        self.payload.len = self
            .payload
            .len
            .checked_sub(len as u32)
            .ok_or(Reason::BadIpLength)?;
        self.payload.bytes = self.payload.bytes.get(len..).unwrap_or_default();
        Ok(())
    }
}
