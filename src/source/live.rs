//! Live capture on a device, through libpcap (pcap(3PCAP), packet(7)).
//!
//! The ring is TPACKET_V3: the kernel passes blocks to the program when they are full, or 10 ms
//! after their first packet. A filter is always installed, because the kernel applies the snapshot
//! length only through one.
//!
//! There is no capture thread. The ring accepts packets while others are printed or written, is far
//! larger than any queue between threads, and counts its drops; in measurements an extra thread
//! doubled the CPU time, because every packet then moved from one processor's cache to another's.
//! Packets are not copied either: they are used in the ring, and a block returns to the kernel
//! after its last packet.
//!
//! Stopping loses no packets: those that arrive within 40 ms of the stop request are still accepted
//! (a connection's last acknowledgement is often still in flight), then the kernel stops accepting,
//! and the ring is read until it is empty.

mod counters;
mod device_monitor;
mod open_error;
mod options;
mod poll_policy;
mod shutdown;

use std::ops::ControlFlow;
use std::os::fd::AsFd;
#[cfg(feature = "cli")]
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use pcap::{Active, Capture, Linktype, Precision};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use counters::Counters;
use device_monitor::DeviceMonitor;
use open_error::open_error_message;
pub use options::{DeliveryMode, LiveOptions, MAX_SNAP_LEN};
use poll_policy::PollPolicy;
use shutdown::{Shutdown, ShutdownStep};

use super::{IdleClock, Losses, Source, SourceEvent, SourceHandler, Stop, socket};
use crate::error::{Error, Result, libpcap_message};
use crate::packet::{self, Frame, Interface, LinkType, Resolution, Timestamp};
use crate::privileges::{self, CAPTURE};

/// Time after a block's first packet at which the kernel passes the block on even if it is not
/// full.
const BLOCK_RETIRE_TIMEOUT: Duration = Duration::from_millis(10);
/// Maximum number of packets per read of the ring; a stop request takes effect after them.
const MAX_DISPATCH_PACKETS: usize = 512;
/// Interval at which the device's existence is checked while no packets arrive.
const DEVICE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A source of frames from an open device.
pub struct LiveSource {
    capture: Capture<Active>,
    interface: Interface,
    options: LiveOptions,
    stop: Stop,
    shutdown: Shutdown,
    /// Time at which the filter was set; earlier packets are discarded.
    filter_set_at: Timestamp,
    /// Number of frames delivered.
    frame_count: u64,
    /// True if the ring may hold more packets: the last read returned as many as it requested.
    ring_ready: bool,
    /// True if the handler was notified that no packet is waiting.
    idle_reported: bool,
    /// Number of bytes received since the last wait.
    bytes_since_wait: u64,
    /// Time at which the last wait started.
    last_wait: Instant,
    poll_policy: PollPolicy,
    /// Time of the last read of the ring.
    ring_read_at: Instant,
    counters: Counters,
    device_monitor: DeviceMonitor,
}

impl LiveSource {
    /// Opens the device, on which packets are captured from now on; the next call must be
    /// [`set_filter`](Self::set_filter).
    ///
    /// # Errors
    /// The device does not exist, or permission is missing; the message contains the remedy.
    pub fn open(options: LiveOptions, stop: Stop) -> Result<LiveSource> {
        let failed = |what: String| Error::device(&options.device, what);
        let capture = Capture::from_device(options.device.as_str())
            .map(|capture| {
                capture
                    .precision(Precision::Nano)
                    .snaplen(options.snap_len.clamp(1, MAX_SNAP_LEN) as i32)
                    .buffer_size(i32::try_from(options.ring_size).unwrap_or(i32::MAX))
                    .immediate_mode(options.delivery == DeliveryMode::Immediate)
                    .timeout(BLOCK_RETIRE_TIMEOUT.as_millis() as i32)
            })
            .and_then(|capture| privileges::raised(CAPTURE, || capture.open()))
            .map_err(|error| failed(open_error_message(&error)))?;
        let mut capture = capture
            .setnonblock()
            .map_err(|error| failed(libpcap_message(&error)))?;
        if options.is_loopback {
            // On kernels before 4.20 this fails, and libpcap discards the second copy of each
            // packet.
            let _ = socket::ignore_outgoing(capture.as_fd());
            // The times of packets are those of BPF events.
            let _ = socket::enable_timestamps(capture.as_fd());
        }
        // Of the two cooked headers, SLL2 is preferred because it contains the interface index.
        let requested = options
            .link
            .or((options.device == "any").then_some(LinkType::LINUX_SLL2));
        if let Some(LinkType(number)) = requested {
            let set = capture.set_datalink(Linktype(i32::from(number)));
            if options.link.is_some() {
                set.map_err(|error| failed(libpcap_message(&error)))?;
            }
        }
        let device_monitor = if options.is_loopback {
            DeviceMonitor::PERMANENT
        } else {
            DeviceMonitor::new(&options.device, capture.as_fd())
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
        Ok(LiveSource {
            capture,
            interface,
            shutdown: Shutdown::new(None),
            options,
            stop,
            filter_set_at: Timestamp(0),
            frame_count: 0,
            ring_ready: true,
            idle_reported: false,
            bytes_since_wait: 0,
            last_wait: now,
            poll_policy: PollPolicy::default(),
            ring_read_at: now,
            counters: Counters::new(now),
            device_monitor,
        })
    }

    /// Returns the device as an interface, with the link type of its frames.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Installs a filter in the kernel (pcap-filter(7)); an empty expression accepts everything.
    /// Only packets from now on are delivered, and the duration of the capture starts now.
    ///
    /// # Errors
    /// The expression does not compile, or the kernel rejects it.
    pub fn set_filter(&mut self, expression: &str) -> Result<()> {
        let installed = self.capture.filter(expression, true);
        installed.map_err(|error| Error::Filter {
            expression: expression.to_owned(),
            what: libpcap_message(&error),
        })?;
        // Packets accepted before the filter was set are neither delivered nor counted.
        self.counters.reset(&mut self.capture);
        self.filter_set_at = wall_clock_now();
        let end = self
            .options
            .duration
            .map(|duration| Instant::now() + duration);
        if let Some(end) = end {
            self.stop.set_deadline(end);
        }
        self.shutdown = Shutdown::new(end);
        Ok(())
    }

    /// Returns the counters that [`losses`](Source::losses) updates, for other threads to read.
    #[cfg(feature = "cli")]
    pub fn shared_losses(&self) -> Arc<Mutex<Losses>> {
        Arc::clone(&self.counters.total)
    }

    /// Delivers up to [`MAX_DISPATCH_PACKETS`] packets from the ring, and updates the timers that
    /// depend on whether there were any.
    fn read_ring(&mut self, handler: &mut impl SourceHandler) -> Result<ControlFlow<()>> {
        // Taken before the read, which can miss packets that arrive during it.
        let now = Instant::now();
        // Drops are reported before the packets that the ring contains: any of these may end a flow
        // that lacks packets.
        self.counters.update_if_due(&mut self.capture, now);
        self.report_drops(handler);
        let before = self.frame_count;
        let control = self.dispatch_packets(handler)?;
        self.ring_read_at = now;
        // Under steady traffic the loop never waits, so stop requests are checked here as well.
        self.advance_shutdown(now);
        if self.frame_count > before {
            self.idle_reported = false;
            self.counters.is_outdated = true;
            self.shutdown.record_packets(now);
        }
        Ok(control)
    }

    fn dispatch_packets(&mut self, handler: &mut impl SourceHandler) -> Result<ControlFlow<()>> {
        let (interface, since) = (&self.interface, self.filter_set_at);
        let (mut number, mut bytes) = (self.frame_count, 0);
        let mut control = ControlFlow::Continue(());
        let dispatched = self.capture.dispatch(Some(MAX_DISPATCH_PACKETS), |packet| {
            let header = packet.header;
            // With nanosecond precision, `tv_usec` contains nanoseconds.
            let time = Timestamp::new(header.ts.tv_sec, header.ts.tv_usec as u32);
            if time < since || control.is_break() {
                return;
            }
            number += 1;
            bytes += packet.data.len() as u64;
            control = handler.handle(&SourceEvent::Frame(Frame {
                number,
                time,
                interface,
                link: interface.link,
                wire_len: header.len,
                bytes: packet.data,
                options: packet::FrameOptions::default(),
            }));
        });
        self.bytes_since_wait += bytes;
        let has_frames = number > std::mem::replace(&mut self.frame_count, number);
        match dispatched {
            Ok(count) => self.ring_ready = count == MAX_DISPATCH_PACKETS,
            // The frames before the error are delivered first; the next read returns it again.
            Err(_) if has_frames => self.ring_ready = true,
            Err(error) => {
                let what = format!("capture stopped: {}", libpcap_message(&error));
                return Err(Error::device(&self.options.device, what));
            }
        }
        Ok(control)
    }

    /// Advances the shutdown, if one was requested.
    fn advance_shutdown(&mut self, now: Instant) -> ShutdownStep {
        let step = self
            .shutdown
            .advance(now, self.ring_read_at, self.stop.is_requested());
        if step == ShutdownStep::StopAccepting {
            let _ = socket::attach_drop_all_filter(self.capture.as_fd());
            return ShutdownStep::Wait(Some(shutdown::RING_DRAIN_TIMEOUT));
        }
        step
    }

    /// Notifies the handler of the drops that the kernel's counters show.
    fn report_drops(&mut self, handler: &mut impl SourceHandler) {
        if let Some(drops) = self.counters.take_drops() {
            // The caller delivers packets next, and the handler stops the source again.
            let _ = handler.handle(&SourceEvent::Dropped(drops));
        }
    }

    /// Waits for packets, a stop request or `max_wait`; while packets arrive, for at most the sleep
    /// duration of the delivery mode.
    fn wait(&mut self, now: Instant, max_wait: Option<Duration>) -> Result<()> {
        let bytes = std::mem::take(&mut self.bytes_since_wait);
        let elapsed = now - std::mem::replace(&mut self.last_wait, now);
        let is_active = bytes > 0;
        let sleep = self.options.delivery.sleep_duration();
        let ignores_ring =
            self.poll_policy
                .decide_sleep(sleep, self.options.ring_size, bytes, elapsed);
        let longest = match is_active {
            true => Some(sleep),
            false => self
                .device_monitor
                .can_disappear()
                .then_some(DEVICE_CHECK_INTERVAL),
        };
        let tick = self.options.tick_interval.filter(|_| !is_active);
        let timeout = max_wait.into_iter().chain(longest).chain(tick).min();
        // Before a long wait, during which another thread may read the counters.
        if !is_active && self.counters.is_outdated {
            self.counters.update(&mut self.capture, now);
        }
        // After a short wait without packets, the handler is notified once more before a long one.
        self.idle_reported = !is_active;
        let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
        let stop = self.stop.fd();
        let (device, stop) = (
            PollFd::new(&self.capture, PollFlags::IN),
            PollFd::new(&stop, PollFlags::IN),
        );
        let both = &mut [device, stop];
        // The stop descriptor stays readable after a request, so it is polled only until the
        // shutdown starts. Until then it must be polled, because a request may have arrived after
        // the last check.
        let first = usize::from(ignores_ring);
        let end = 1 + usize::from(self.shutdown.is_running());
        let polled = both.get_mut(first..end).unwrap_or_default();
        match poll(polled, timeout.as_ref()) {
            Ok(0) if !is_active && self.device_monitor.is_gone(self.capture.as_fd()) => {
                let what = "capture stopped: The interface disappeared";
                Err(Error::device(&self.options.device, what))
            }
            // The handler is notified again, so that its timers advance.
            Ok(0) if tick.is_some() => {
                self.idle_reported = false;
                Ok(())
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => {
                let what = format!("cannot wait for packets: {error}");
                Err(Error::device(&self.options.device, what))
            }
        }
    }
}

impl LiveSource {
    /// Delivers packets until the capture ends, or until the handler stops the source.
    fn deliver(&mut self, handler: &mut impl SourceHandler) -> Result<ControlFlow<()>> {
        loop {
            if !self.ring_ready {
                if !self.idle_reported {
                    self.idle_reported = true;
                    let idle = SourceEvent::Idle(IdleClock::Time(wall_clock_now()));
                    if handler.handle(&idle).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                let now = Instant::now();
                match self.advance_shutdown(now) {
                    ShutdownStep::Wait(timeout) => self.wait(now, timeout)?,
                    ShutdownStep::Finished => return Ok(ControlFlow::Continue(())),
                    ShutdownStep::StopAccepting => {}
                }
            }
            if self.read_ring(handler)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
}

impl Source for LiveSource {
    fn for_each(&mut self, handler: &mut impl SourceHandler) -> Result<()> {
        let control = self.deliver(handler);
        self.counters.update(&mut self.capture, Instant::now());
        self.report_drops(handler);
        if control?.is_continue() {
            let _ = handler.handle(&SourceEvent::End);
        }
        Ok(())
    }

    fn losses(&mut self) -> Losses {
        self.counters.update(&mut self.capture, Instant::now());
        self.counters.total()
    }
}

/// Returns the time of the clock that the kernel timestamps packets with.
fn wall_clock_now() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(now.map_or(0, |now| now.as_nanos() as i64))
}

/// Converts libpcap's DLT number, which for raw IP differs from the link type in files.
fn link_type(link: Linktype) -> LinkType {
    match u16::try_from(link.0) {
        Ok(12 | 14) => LinkType::RAW,
        Ok(number) => LinkType(number),
        Err(_) => LinkType(u16::MAX),
    }
}
