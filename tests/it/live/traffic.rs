//! Loopback traffic for tests, on ports that no other process uses at the same time.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

pub(super) const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(super) const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
/// Maximum duration of continuous traffic, even if it is not stopped.
pub(super) const MAX_SEND_DURATION: Duration = Duration::from_secs(15);

/// Returns a TCP socket that is bound to a free port, and its address.
pub(super) fn bound_socket(host: IpAddr) -> (OwnedFd, SocketAddr) {
    let family = match host {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket(family, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddr::new(host, 0)).unwrap();
    let address = getsockname(&socket).unwrap().try_into().unwrap();
    (socket, address)
}

/// Port that is reserved for TCP and UDP on 127.0.0.1 and ::1, so that no client gets it.
pub(super) struct ReservedPort {
    pub(super) number: u16,
    tcp: [TcpListener; 2],
    udp: [UdpSocket; 2],
}

/// TCP port of 127.0.0.1 that no process listens on, and that no client gets.
pub(super) struct RefusedPort {
    pub(super) number: u16,
    _socket: OwnedFd,
}

impl RefusedPort {
    pub(super) fn reserve() -> RefusedPort {
        use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::from((V4, 0))).unwrap();
        let address = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
        RefusedPort {
            number: address.port(),
            _socket: socket,
        }
    }

    /// Returns the port number as a command-line argument.
    pub(super) fn arg(&self) -> String {
        self.number.to_string()
    }

    /// Returns a command of bash that connects to the port once.
    pub(super) fn connect_script(&self) -> String {
        format!("(exec 3<>/dev/tcp/127.0.0.1/{}) 2>/dev/null", self.number)
    }
}

impl ReservedPort {
    pub(super) fn reserve() -> ReservedPort {
        let found = (0..100).find_map(|_| ReservedPort::try_reserve().ok());
        found.expect("a port that is free for TCP and UDP, IPv4 and IPv6")
    }

    fn try_reserve() -> std::io::Result<ReservedPort> {
        let first = TcpListener::bind((V4, 0))?;
        let number = first.local_addr()?.port();
        Ok(ReservedPort {
            number,
            tcp: [first, TcpListener::bind((V6, number))?],
            udp: [
                UdpSocket::bind((V4, number))?,
                UdpSocket::bind((V6, number))?,
            ],
        })
    }

    /// Returns the port number as a command-line argument.
    pub(super) fn arg(&self) -> String {
        self.number.to_string()
    }

    /// Makes a complete TCP connection, from SYN to the last ACK: `ping!` from the client, `pong`
    /// from the server, and a FIN from both. Returns the client's address.
    pub(super) fn exchange(&self, host: IpAddr) -> SocketAddr {
        let (mut client, mut server) = self.connect(host);
        let address = client.local_addr().unwrap();
        let mut text = [0; 5];
        client.write_all(b"ping!").unwrap();
        server.read_exact(&mut text).unwrap();
        server.write_all(b"pong").unwrap();
        client.read_exact(&mut text[..4]).unwrap();
        drop(client);
        assert_eq!(server.read(&mut text).unwrap(), 0);
        address
    }

    /// Opens a TCP connection; returns the sockets of the client and the server.
    pub(super) fn connect(&self, host: IpAddr) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect((host, self.number)).unwrap();
        let (server, _) = self.tcp[usize::from(host.is_ipv6())].accept().unwrap();
        (client, server)
    }

    /// Sends bytes from a client to the server, and waits until all have arrived.
    pub(super) fn transfer(&self, bytes: usize) {
        let mut client = TcpStream::connect((V4, self.number)).unwrap();
        let (mut server, _) = self.tcp[0].accept().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || client.write_all(&vec![7; bytes]).unwrap());
            let mut buffer = vec![0; 1 << 20];
            let mut remaining = bytes;
            while remaining > 0 {
                remaining -= server.read(&mut buffer).unwrap();
            }
        });
    }

    /// Returns a UDP socket connected to this port. Unread datagrams that exceed the receive
    /// buffer are dropped only after they have passed `lo`.
    pub(super) fn sender(&self, host: IpAddr) -> UdpSocket {
        let socket = UdpSocket::bind((host, 0)).unwrap();
        socket.connect((host, self.number)).unwrap();
        socket
    }

    /// Sends `count` datagrams of `size` bytes, each ending with its number. The first number is
    /// `from`.
    pub(super) fn send(&self, from: u32, count: u32, size: usize) {
        let sender = self.sender(V4);
        for number in from..from + count {
            sender.send(&numbered(number, size)).unwrap();
        }
    }

    /// Returns the server's UDP socket, for tests that send replies.
    pub(super) fn udp(&self, host: IpAddr) -> &UdpSocket {
        &self.udp[usize::from(host.is_ipv6())]
    }

    /// Sends numbered datagrams, with a pause after each unless it is zero, until the returned
    /// value is dropped, for at most [`MAX_SEND_DURATION`].
    pub(super) fn keep_sending(&self, size: usize, pause: Duration) -> SteadyTraffic {
        let sender = self.sender(V4);
        let is_stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_stopped);
        let send = move || {
            let started = Instant::now();
            for number in 0.. {
                if stop.load(Relaxed) || started.elapsed() > MAX_SEND_DURATION {
                    return;
                }
                sender.send(&numbered(number, size)).unwrap();
                if !pause.is_zero() {
                    std::thread::sleep(pause);
                }
            }
        };
        SteadyTraffic {
            is_stopped,
            thread: Some(std::thread::spawn(send)),
        }
    }
}

/// Continuous traffic that stops when this is dropped.
pub(super) struct SteadyTraffic {
    is_stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for SteadyTraffic {
    fn drop(&mut self) {
        self.is_stopped.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Returns a datagram that ends with its number.
fn numbered(number: u32, size: usize) -> Vec<u8> {
    let mut datagram = vec![b'.'; size - 4];
    datagram.extend(number.to_be_bytes());
    datagram
}

/// Returns the number at the end of a frame with a complete numbered datagram.
pub(super) fn number(frame: &[u8]) -> u32 {
    u32::from_be_bytes(*frame.last_chunk().unwrap())
}
