//! Real traffic over loopback, on ports that nobody else uses meanwhile.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(super) const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(super) const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
/// Nothing is sent for longer than this, also if nobody ends it.
pub(super) const LONGEST: Duration = Duration::from_secs(15);

/// One number, held for TCP and UDP at 127.0.0.1 and ::1: the kernel gives it to no client meanwhile.
pub(super) struct Port {
    pub(super) number: u16,
    tcp: [TcpListener; 2],
    udp: [UdpSocket; 2],
}

impl Port {
    pub(super) fn take() -> Port {
        let found = (0..100).find_map(|_| Port::try_take().ok());
        found.expect("a port that is free for TCP and UDP, IPv4 and IPv6")
    }

    fn try_take() -> std::io::Result<Port> {
        let first = TcpListener::bind((V4, 0))?;
        let number = first.local_addr()?.port();
        Ok(Port {
            number,
            tcp: [first, TcpListener::bind((V6, number))?],
            udp: [
                UdpSocket::bind((V4, number))?,
                UdpSocket::bind((V6, number))?,
            ],
        })
    }

    /// The number as a word of a command line.
    pub(super) fn word(&self) -> String {
        self.number.to_string()
    }

    /// A client asks, the server answers, both close: from the first SYN to the last acknowledgement. The client's address.
    pub(super) fn converse(&self, host: IpAddr) -> SocketAddr {
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

    /// Both ends of a connection: the client's and the server's.
    pub(super) fn connect(&self, host: IpAddr) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect((host, self.number)).unwrap();
        let (server, _) = self.tcp[usize::from(host.is_ipv6())].accept().unwrap();
        (client, server)
    }

    /// Takes this many bytes through a connection, all of which have arrived at the end.
    pub(super) fn pour(&self, bytes: usize) {
        let mut client = TcpStream::connect((V4, self.number)).unwrap();
        let (mut server, _) = self.tcp[0].accept().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || client.write_all(&vec![7; bytes]).unwrap());
            let mut arrived = vec![0; 1 << 20];
            let mut left = bytes;
            while left > 0 {
                left -= server.read(&mut arrived).unwrap();
            }
        });
    }

    /// A sender to this port. Nobody reads there: what does not fit into the receiver's queue is lost only behind lo.
    pub(super) fn sender(&self, host: IpAddr) -> UdpSocket {
        let socket = UdpSocket::bind((host, 0)).unwrap();
        socket.connect((host, self.number)).unwrap();
        socket
    }

    /// Sends datagrams of this size, each ending in its number: the next ones from `from`.
    pub(super) fn send(&self, from: u32, count: u32, size: usize) {
        let sender = self.sender(V4);
        for number in from..from + count {
            sender.send(&numbered(number, size)).unwrap();
        }
    }

    /// The server's socket, for tests that answer.
    pub(super) fn udp(&self, host: IpAddr) -> &UdpSocket {
        &self.udp[usize::from(host.is_ipv6())]
    }

    /// Sends without a pause (or with one between datagrams) until it is dropped, or [`LONGEST`].
    pub(super) fn keep_sending(&self, size: usize, pause: Duration) -> Steady {
        let sender = self.sender(V4);
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let send = move || {
            let begun = Instant::now();
            for number in 0.. {
                if end.load(Relaxed) || begun.elapsed() > LONGEST {
                    return;
                }
                sender.send(&numbered(number, size)).unwrap();
                if !pause.is_zero() {
                    std::thread::sleep(pause);
                }
            }
        };
        Steady {
            ended,
            thread: Some(std::thread::spawn(send)),
        }
    }
}

/// Traffic that goes on until this is dropped.
pub(super) struct Steady {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Steady {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A datagram that ends in its number.
fn numbered(number: u32, size: usize) -> Vec<u8> {
    let mut datagram = vec![b'.'; size - 4];
    datagram.extend(number.to_be_bytes());
    datagram
}

/// The number at the end of a frame that holds a whole numbered datagram.
pub(super) fn number(frame: &[u8]) -> u32 {
    u32::from_be_bytes(*frame.last_chunk().unwrap())
}
