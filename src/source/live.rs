//! Frames from a live device, through libpcap (pcap(3PCAP), packet(7)).
//!
//! The ring is TPACKET_V3: the kernel hands over blocks, when they are full or 10 ms after their first packet. A filter
//! is always installed, because the kernel applies the snap length only through one.
//!
//! There is no capture thread. The ring itself goes on taking packets while others are printed or written, is far larger than
//! any queue between threads, and counts what it loses; a thread in between cost as much CPU again, because every packet then
//! moves from one processor's cache to another's. Packets are not copied either: they are used where the kernel put them, and a
//! block of them goes back to it behind the last.
//!
//! Ending loses nothing: packets that arrive within 40 ms of the wish to stop are still taken (a connection's last
//! acknowledgement is often on its way), then the kernel is told to accept no more, and the ring is read until it is empty.

mod counters;
mod ending;
mod nap;
mod options;
mod presence;
mod refusal;

use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use pcap::{Active, Capture, Linktype, Precision};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use counters::Counters;
use ending::{Ending, Step};
use nap::Naps;
pub use options::{MAX_SNAP_LEN, Options, Pace};
use presence::Presence;
use refusal::why_not_opened;
pub use refusal::{missing_permission, program, shell_word};

use super::{Losses, Next, Source, Stop, Take, socket};
use crate::error::{Error, Result};
use crate::packet::{self, Frame, Interface, LinkType, Resolution, Timestamp};

/// The kernel hands over a block at the latest this long after its first packet.
const HAND_OVER: Duration = Duration::from_millis(10);
/// The most packets of a look at the ring; a wish to stop is heard behind them.
const AT_A_TIME: usize = 512;
/// The counters are asked for at most this often while packets flow.
const COUNT_EVERY: Duration = Duration::from_millis(100);
/// In a silence this often somebody looks whether the device is still there.
const LOOK_FOR_DEVICE: Duration = Duration::from_secs(1);

/// A device that is open and not yet read.
pub struct Live {
    capture: Capture<Active>,
    interface: Interface,
    options: Options,
    stop: Stop,
    ending: Ending,
    /// When the filter was set.
    since: Timestamp,
    /// How many frames were given.
    number: u64,
    /// Whether the ring may hold more: not once it gave fewer packets than it was asked for.
    ready: bool,
    /// Whether the loop was told that nothing is waiting.
    idle: bool,
    /// Bytes that came since the last wait, and when that began.
    flowing: u64,
    waited: Instant,
    naps: Naps,
    /// When the ring was last looked at.
    looked: Instant,
    losses: Counters,
    counted: Instant,
    /// Whether packets came since then.
    uncounted: bool,
    presence: Presence,
}

impl Live {
    /// Opens the device, which captures from now on; [`set_filter`](Self::set_filter) comes next.
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
                    .immediate_mode(options.pace == Pace::Immediate)
                    .timeout(HAND_OVER.as_millis() as i32)
            })
            .and_then(Capture::open)
            .map_err(|error| failed(why_not_opened(&error)))?;
        let mut capture = capture
            .setnonblock()
            .map_err(|error| failed(message(&error)))?;
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
                set.map_err(|error| failed(message(&error)))?;
            }
        }
        let presence = if options.is_loopback {
            Presence::ALWAYS
        } else {
            Presence::of(&options.device, capture.as_fd())
        };
        let interface = Interface {
            id: 0,
            name: Some(options.device.clone()),
            description: None,
            link: link_type(capture.get_datalink()),
            snap_len: options.snap_len,
            resolution: Resolution::Nano,
        };
        let now = Instant::now();
        Ok(Live {
            capture,
            interface,
            ending: Ending::new(options.duration.map(|duration| now + duration)),
            options,
            stop,
            since: Timestamp(0),
            number: 0,
            ready: true,
            idle: false,
            flowing: 0,
            waited: now,
            naps: Naps::default(),
            looked: now,
            losses: Counters::default(),
            counted: now,
            uncounted: false,
            presence,
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
        let set = self.capture.filter(expression, true);
        set.map_err(|error| Error::Filter {
            expression: expression.to_owned(),
            what: message(&error),
        })?;
        // What the device accepted before there was a filter is neither shown nor counted.
        if let Ok(stat) = self.capture.stats() {
            self.losses
                .begin([stat.received, stat.dropped, stat.if_dropped]);
        }
        self.since = now();
        Ok(())
    }

    /// The counters that [`losses`](Source::losses) reads, for another thread to look at.
    pub fn shared_losses(&self) -> Arc<Mutex<Losses>> {
        Arc::clone(&self.losses.total)
    }

    /// Gives what the ring holds, up to so many packets, and keeps the clocks that depend on whether there were any.
    fn look(&mut self, take: &mut impl Take) -> Result<ControlFlow<()>> {
        // Before: what comes while the ring is read is not yet overdue.
        let now = Instant::now();
        let before = self.number;
        let gave = self.give(take)?;
        self.looked = now;
        if now - self.counted >= COUNT_EVERY {
            self.count(now);
        }
        // Under steady traffic nobody ever waits, but somebody may ask to stop.
        self.advance(now);
        if self.number > before {
            self.idle = false;
            self.uncounted = true;
            self.ending.gave(now);
        }
        Ok(gave)
    }

    fn give(&mut self, take: &mut impl Take) -> Result<ControlFlow<()>> {
        let (interface, since) = (&self.interface, self.since);
        let (mut number, mut bytes) = (self.number, 0);
        let mut gave = ControlFlow::Continue(());
        let looked = self.capture.dispatch(Some(AT_A_TIME), |packet| {
            let header = packet.header;
            // With nanosecond precision the field for microseconds holds nanoseconds.
            let time = Timestamp::new(header.ts.tv_sec, header.ts.tv_usec as u32);
            if time < since || gave.is_break() {
                return;
            }
            number += 1;
            bytes += packet.data.len() as u64;
            gave = take.take(&Next::Frame(Frame {
                number,
                time,
                interface,
                link: interface.link,
                wire_len: header.len,
                bytes: packet.data,
                options: packet::Options::default(),
            }));
        });
        self.flowing += bytes;
        let came = number > std::mem::replace(&mut self.number, number);
        match looked {
            Ok(count) => self.ready = count == AT_A_TIME,
            // What came before it is of use; the error comes again.
            Err(_) if came => self.ready = true,
            Err(error) => {
                return Err(Error::Device {
                    device: self.options.device.clone(),
                    what: format!("the capture ended: {}", message(&error)),
                });
            }
        }
        Ok(gave)
    }

    /// Goes on towards the end, where somebody asked for it.
    fn advance(&mut self, now: Instant) -> Step {
        let step = self
            .ending
            .advance(now, self.looked, self.stop.is_requested());
        if step == Step::Close {
            let _ = socket::accept_no_more(self.capture.as_fd());
            return Step::Wait(Some(ending::EMPTY));
        }
        step
    }

    fn count(&mut self, now: Instant) {
        self.counted = now;
        self.uncounted = false;
        if let Ok(stat) = self.capture.stats() {
            self.losses
                .add([stat.received, stat.dropped, stat.if_dropped]);
        }
    }

    /// Waits for packets, for the wish to stop, or for this long; while packets flow, only for a nap.
    fn wait(&mut self, now: Instant, at_most: Option<Duration>) -> Result<()> {
        let came = std::mem::take(&mut self.flowing);
        let since = now - std::mem::replace(&mut self.waited, now);
        let flows = came > 0;
        let nap = self.options.pace.nap();
        let naps = self.naps.pays(nap, self.options.buffer, came, since);
        let longest = match flows {
            true => Some(nap),
            false => self.presence.is_doubtful().then_some(LOOK_FOR_DEVICE),
        };
        let tick = self.options.tick.filter(|_| !flows);
        let time = at_most.into_iter().chain(longest).chain(tick).min();
        // Before a silence, during which somebody may ask.
        if !flows && self.uncounted {
            self.count(now);
        }
        // After a nap that gave nothing the loop is told once more, before the wait that may be long.
        self.idle = !flows;
        let timeout = time.and_then(|time| Timespec::try_from(time).ok());
        let stop = self.stop.fd();
        let (device, stop) = (
            PollFd::new(&self.capture, PollFlags::IN),
            PollFd::new(&stop, PollFlags::IN),
        );
        let both = &mut [device, stop];
        // Once it has been heard, the wish stays readable. Who has not heard it yet must: it may have come since the last look.
        let from = usize::from(naps);
        let until = 1 + usize::from(self.ending.is_running());
        let waiting = both.get_mut(from..until).unwrap_or_default();
        match poll(waiting, timeout.as_ref()) {
            Ok(0) if !flows && self.presence.is_gone(self.capture.as_fd()) => Err(Error::Device {
                device: self.options.device.clone(),
                what: "the capture ended: The interface disappeared".into(),
            }),
            // The loop is told that time goes by.
            Ok(0) if tick.is_some() => {
                self.idle = false;
                Ok(())
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(Error::Device {
                device: self.options.device.clone(),
                what: format!("cannot wait for packets: {error}"),
            }),
        }
    }
}

impl Source for Live {
    fn each(&mut self, take: &mut impl Take) -> Result<()> {
        loop {
            if !self.ready {
                if !self.idle {
                    self.idle = true;
                    if take.take(&Next::Idle(now())).is_break() {
                        return Ok(());
                    }
                }
                let now = Instant::now();
                match self.advance(now) {
                    Step::Wait(time) => self.wait(now, time)?,
                    Step::Over => break,
                    Step::Close => {}
                }
            }
            if self.look(take)?.is_break() {
                return Ok(());
            }
        }
        let _ = take.take(&Next::End);
        Ok(())
    }

    fn losses(&mut self) -> Losses {
        self.count(Instant::now());
        *self
            .losses
            .total
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock that the kernel stamps packets with.
fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(now.map_or(0, |now| now.as_nanos() as i64))
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
pub(crate) fn message(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.clone(),
        other => other.to_string(),
    }
}
