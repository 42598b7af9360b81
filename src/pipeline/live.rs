//! Live capture with attribution: the device, the kernel's filter and the lookups of processes.

use std::io;
use std::sync::Arc;

use super::Attribution;
#[cfg(feature = "cli")]
use crate::attribution::AttributionMethod;
use crate::attribution::{Attributor, LiveOwners, LookupProcess, OpenAttribution, PendingBpf};
use crate::error::Result;
use crate::filter::Filter;
use crate::source::Stop;
use crate::source::live::{LiveOptions, LiveSource};

/// Attribution of packets or flows to the processes at both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributionMode {
    /// No attribution.
    #[cfg_attr(
        not(feature = "cli"),
        allow(dead_code, reason = "only the command can turn it off")
    )]
    Off,
    /// Processes are looked up for each flow, and identified when it closes.
    PerFlow,
    /// Processes are attached to every packet, e.g. for a process filter or pcapng comments.
    PerPacket,
}

/// An open device, whose packets are captured from now on. Everything that needs privileges is
/// open, and no thread has been started.
pub struct LiveCapture {
    /// The frames that the kernel's filter accepts.
    pub source: LiveSource,
    /// The remaining checks, which the kernel cannot do.
    pub filter: Filter,
    /// `None` without attribution, and an error if it was requested but is not possible.
    pub attribution: Result<Option<OpenAttribution>>,
    mode: AttributionMode,
    /// The filter of the kernel.
    #[cfg(feature = "cli")]
    kernel_filter: String,
}

/// A live capture whose threads have been started.
pub struct StartedCapture {
    /// The frames that the kernel's filter accepts.
    pub source: LiveSource,
    /// The remaining checks, which the kernel cannot do.
    pub filter: Filter,
    /// Looks up processes until it is dropped; `None` without attribution.
    pub attributor: Option<Attributor>,
    mode: AttributionMode,
}

impl LiveCapture {
    /// Opens a device for the packets that match a filter; `lookups` looks up their processes,
    /// unless the mode is [`Off`](AttributionMode::Off).
    ///
    /// # Errors
    /// The device does not exist, or permission is missing; the message contains the remedy. The
    /// filter is not valid for the device.
    pub fn open(
        options: &LiveOptions,
        filter: Filter,
        mode: AttributionMode,
        lookups: impl FnOnce() -> io::Result<LookupProcess>,
        stop: Stop,
    ) -> Result<LiveCapture> {
        let lookups = (mode != AttributionMode::Off).then(lookups).transpose();
        // Loading BPF takes longer than opening the device, so both are done at the same time.
        let pending = lookups.and_then(|lookups| match lookups {
            Some(lookups) => {
                let bpf = PendingBpf::start(options.is_loopback, lookups.run())?;
                Ok(Some((bpf, lookups)))
            }
            None => Ok(None),
        });
        let mut source = LiveSource::open(options.clone(), stop)?;
        let (kernel, filter) = filter.split_for_kernel(source.interface().link)?;
        source.set_filter(&kernel)?;
        let attribution = match pending {
            Ok(Some((bpf, lookups))) => {
                OpenAttribution::open(options, &kernel, bpf, lookups).map(Some)
            }
            Ok(None) => Ok(None),
            Err(error) => Err(error.into()),
        };
        Ok(LiveCapture {
            source,
            filter,
            attribution,
            mode,
            #[cfg(feature = "cli")]
            kernel_filter: kernel,
        })
    }

    /// Discards the packets so far.
    ///
    /// # Errors
    /// The kernel rejects the filter.
    #[cfg(feature = "cli")]
    pub fn restart(&mut self) -> Result<()> {
        self.source.set_filter(&self.kernel_filter)
    }

    /// Returns the method of attribution, if there is attribution.
    #[cfg(feature = "cli")]
    pub fn method(&self) -> Option<&AttributionMethod> {
        let attribution = self.attribution.as_ref().ok()?.as_ref()?;
        Some(attribution.method())
    }

    /// Returns the PID of the process that looks up processes, if there is one.
    #[cfg(feature = "cli")]
    pub fn lookup_pid(&self) -> Option<u32> {
        let attribution = self.attribution.as_ref().ok()?.as_ref()?;
        attribution.lookup_pid()
    }

    /// Starts the threads of attribution.
    ///
    /// # Errors
    /// A thread cannot be created.
    pub fn start(self) -> Result<StartedCapture> {
        let attribution = self.attribution.ok().flatten();
        Ok(StartedCapture {
            source: self.source,
            filter: self.filter,
            attributor: attribution.map(OpenAttribution::start).transpose()?,
            mode: self.mode,
        })
    }
}

impl StartedCapture {
    /// Returns the origin of the owners of packets and flows.
    pub fn attribution(&self) -> Attribution {
        let Some(attributor) = &self.attributor else {
            return Attribution::default();
        };
        let table = Arc::clone(attributor.connection_table());
        match self.mode {
            AttributionMode::PerPacket => Attribution::PerPacket(LiveOwners::new(table)),
            AttributionMode::PerFlow => Attribution::PerFlow(LiveOwners::new(table)),
            AttributionMode::Off => Attribution::default(),
        }
    }
}
