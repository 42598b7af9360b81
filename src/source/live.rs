//! Frames from a live device, through libpcap (pcap(3PCAP), packet(7)).
//!
//! The ring is TPACKET_V3: the kernel hands over blocks, when they are full or [`HAND_OVER`] after their first packet. A filter
//! is always installed, because the kernel applies the snap length only through one.
//!
//! Ending loses nothing: packets that arrive within [`GRACE`] of the wish to stop are still taken (a connection's last
//! acknowledgement is often on its way), then the kernel is told to accept no more, and the ring is read until it is empty.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use pcap::{Active, Capture, Linktype, Precision};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::relay::{Batch, Fill, Filled, Relay};
use super::{Losses, Stop, socket};
use crate::error::{Error, Result};
use crate::packet::{Interface, LinkType, Resolution, Timestamp};

/// What to capture, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The device's name, or `any`.
    pub device: String,
    /// Whether the device is a loopback, where each packet would be queued twice.
    pub is_loopback: bool,
    /// The most bytes to keep of each packet, 1 to [`MAX_SNAP_LEN`].
    pub snap_len: u32,
    /// Size of the kernel's ring in bytes.
    pub buffer: u32,
    /// How frames shall begin, where the device offers a choice.
    pub link: Option<LinkType>,
    /// End after this long.
    pub duration: Option<Duration>,
}

/// tcpdump's and Wireshark's largest snap length, and libpcap's.
pub const MAX_SNAP_LEN: u32 = 262_144;

/// The kernel hands over a block at the latest this long after its first packet.
const HAND_OVER: Duration = Duration::from_millis(10);
/// What arrives this long after the wish to stop is still taken.
const GRACE: Duration = Duration::from_millis(40);
/// A ring that gave nothing for this long after the kernel stopped accepting is empty.
const EMPTY: Duration = Duration::from_millis(25);
/// A batch is handed on when it holds this many bytes.
const BATCH: usize = 1 << 20;
/// Packets taken from the ring at a time; `BATCH` is looked at in between.
const AT_A_TIME: usize = 256;

/// A device that is open and not yet read.
pub struct Live {
    capture: Capture<Active>,
    interface: Interface,
    options: Options,
    stop: Stop,
    phase: Phase,
    losses: Counters,
}

/// How far the end is.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Running,
    /// Somebody asked to stop; packets are accepted until then.
    Grace(Instant),
    /// The kernel accepts no more; the ring was last seen with a packet at this time.
    Draining(Instant),
}

/// libpcap's counters are 32 bits wide and wrap.
#[derive(Debug, Default)]
struct Counters {
    last: [u32; 3],
    total: Losses,
}

impl Live {
    /// Opens the device; what matches nothing yet is dropped by nobody: set a filter, then [`start`](Self::start).
    ///
    /// # Errors
    /// No such device, or not permitted; the message says what to do.
    pub fn open(options: Options, stop: Stop) -> Result<Live> {
        let failed = |what: String| Error::Device {
            device: options.device.clone(),
            what,
        };
        let capture = Capture::from_device(options.device.as_str())
            .map(|capture| {
                capture
                    .precision(Precision::Nano)
                    .snaplen(options.snap_len.clamp(1, MAX_SNAP_LEN) as i32)
                    .buffer_size(i32::try_from(options.buffer).unwrap_or(i32::MAX))
                    .timeout(HAND_OVER.as_millis() as i32)
            })
            .and_then(Capture::open)
            .map_err(|error| failed(why_not_opened(&error)))?;
        let mut capture = capture
            .setnonblock()
            .map_err(|error| failed(error.to_string()))?;
        if options.is_loopback {
            // Where the kernel is too old libpcap drops the second copy itself.
            let _ = socket::ignore_outgoing(capture.as_fd());
        }
        // The cooked header that names the device is the better one.
        let wanted = options
            .link
            .or((options.device == "any").then_some(LinkType::LINUX_SLL2));
        if let Some(LinkType(number)) = wanted {
            let set = capture.set_datalink(Linktype(i32::from(number)));
            if options.link.is_some() {
                set.map_err(|error| failed(error.to_string()))?;
            }
        }
        let interface = Interface {
            id: 0,
            name: Some(options.device.clone()),
            description: None,
            link: link_type(capture.get_datalink()),
            snap_len: options.snap_len,
            resolution: Resolution::Nano,
        };
        let losses = Counters::default();
        Ok(Live {
            capture,
            interface,
            options,
            stop,
            phase: Phase::Running,
            losses,
        })
    }

    /// The device, with the link type that its frames have.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Installs a filter in the kernel (pcap-filter(7)); an empty one accepts everything.
    ///
    /// # Errors
    /// The expression does not compile, or the kernel refuses it.
    pub fn set_filter(&mut self, expression: &str) -> Result<()> {
        self.capture
            .filter(expression, true)
            .map_err(|error| Error::Filter {
                expression: expression.to_owned(),
                what: error.to_string(),
            })
    }

    /// Starts to capture, on a thread of its own.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(self) -> Result<Relay> {
        let interface = self.interface.clone();
        let deadline = self
            .options
            .duration
            .map(|duration| Instant::now() + duration);
        Relay::start(
            interface,
            Filler {
                live: self,
                deadline,
            },
        )
    }
}

/// The capture thread's state.
struct Filler {
    live: Live,
    deadline: Option<Instant>,
}

impl Fill for Filler {
    fn fill(&mut self, batch: &mut Batch) -> Result<Filled> {
        loop {
            // Looked at first: what comes while the ring is read is not yet overdue.
            let now = Instant::now();
            let taken = self.live.take(batch)?;
            let wait = match self.live.phase {
                Phase::Running => {
                    if self.live.stop.is_requested() || self.deadline.is_some_and(|at| now >= at) {
                        self.live.phase = Phase::Grace(now + GRACE);
                        continue;
                    }
                    self.deadline.map(|at| at - now)
                }
                Phase::Grace(until) if now >= until => {
                    let _ = socket::accept_no_more(self.live.capture.as_fd());
                    self.live.phase = Phase::Draining(now);
                    continue;
                }
                Phase::Grace(until) => Some(until - now),
                Phase::Draining(_) if taken => {
                    self.live.phase = Phase::Draining(now);
                    Some(EMPTY)
                }
                Phase::Draining(since) if now >= since + EMPTY => return Ok(Filled::End),
                Phase::Draining(since) => Some(since + EMPTY - now),
            };
            if !batch.is_empty() {
                return Ok(Filled::More);
            }
            self.live.wait(wait)?;
        }
    }

    fn losses(&mut self) -> Losses {
        if let Ok(stat) = self.live.capture.stats() {
            self.live
                .losses
                .add([stat.received, stat.dropped, stat.if_dropped]);
        }
        self.live.losses.total
    }
}

impl Live {
    /// Copies what the ring holds, up to a batch's worth; false where it holds nothing.
    fn take(&mut self, batch: &mut Batch) -> Result<bool> {
        let mut taken = false;
        while batch.len() < BATCH {
            let copied = self.capture.dispatch(Some(AT_A_TIME), |packet| {
                let header = packet.header;
                // With nanosecond precision the field for microseconds holds nanoseconds.
                let time = Timestamp::new(header.ts.tv_sec, header.ts.tv_usec as u32);
                batch.push(time, header.len, packet.data);
            });
            match copied {
                Ok(0) => break,
                Ok(_) => taken = true,
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Ok(taken)
    }

    /// Waits for packets, for the wish to stop, or for this long.
    fn wait(&self, at_most: Option<Duration>) -> Result<()> {
        let device = PollFd::new(&self.capture, PollFlags::IN);
        let timeout = at_most.and_then(|wait| Timespec::try_from(wait).ok());
        let stop = self.stop.fd();
        let stop = PollFd::new(&stop, PollFlags::IN);
        // Once it has been heard, the wish stays readable.
        let both = &mut [device, stop];
        let waiting = if self.stop.is_requested() {
            &mut both[..1]
        } else {
            &mut both[..]
        };
        match poll(waiting, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(Error::Device {
                device: self.options.device.clone(),
                what: format!("cannot wait for packets: {error}"),
            }),
        }
    }

    fn failed(&self, error: &pcap::Error) -> Error {
        Error::Device {
            device: self.options.device.clone(),
            what: format!("the capture ended: {}", message(error)),
        }
    }
}

impl Counters {
    fn add(&mut self, now: [u32; 3]) {
        let [received, dropped, by_interface] =
            std::array::from_fn(|at| u64::from(now[at].wrapping_sub(self.last[at])));
        self.last = now;
        self.total.received += received;
        self.total.dropped += dropped;
        self.total.dropped_by_interface += by_interface;
    }
}

/// Live devices give libpcap's own number for raw IP; files have another.
fn link_type(link: Linktype) -> LinkType {
    match u16::try_from(link.0) {
        Ok(12 | 14) => LinkType::RAW,
        Ok(number) => LinkType(number),
        Err(_) => LinkType(u16::MAX),
    }
}

/// libpcap's own words, without the crate's.
fn message(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Why a device did not open, and what to do: libpcap says the same for a missing permission and a missing device.
fn why_not_opened(error: &pcap::Error) -> String {
    if !may_capture() {
        let program = std::env::current_exe().unwrap_or_else(|_| "lcap".into());
        return format!(
            "capturing needs the CAP_NET_RAW capability. Give it to lcap once and for all with\n    \
             sudo setcap cap_net_raw=ep {}\nor run lcap with sudo. Reading files (-r) needs no privilege",
            shell_word(&program.to_string_lossy())
        );
    }
    let devices = pcap::Device::list().unwrap_or_default();
    let names: Vec<String> = devices.into_iter().map(|device| device.name).collect();
    format!("{}; the devices are {}", message(error), names.join(", "))
}

/// Whether the kernel lets this process open a packet socket.
#[cfg(target_os = "linux")]
fn may_capture() -> bool {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let opened = socket_with(
        AddressFamily::PACKET,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    );
    !matches!(opened, Err(rustix::io::Errno::PERM))
}

#[cfg(not(target_os = "linux"))]
fn may_capture() -> bool {
    true
}

/// A path as a shell wants it.
fn shell_word(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}
