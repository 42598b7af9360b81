//! Live capture with attribution: the device, the kernel's filter and the lookups of processes.

use std::sync::Arc;

use super::Attribution;
#[cfg(feature = "cli")]
use crate::attribution::AttributionMethod;
use crate::attribution::{Attributor, LiveOwners, PendingBpf};
use crate::error::Result;
use crate::filter::Filter;
use crate::host::processes::run_root::RunRoot;
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

/// An open device on which packets are captured once the capture [starts](Self::start).
pub struct LiveCapture {
    source: LiveSource,
    options: LiveOptions,
    mode: AttributionMode,
    pending_bpf: Option<PendingBpf>,
}

/// A live capture that has started.
pub struct StartedCapture {
    /// The frames that the kernel's filter accepts.
    pub source: LiveSource,
    /// The remaining checks, which the kernel cannot do.
    pub filter: Filter,
    /// Looks up processes until it is dropped; `None` without attribution, and an error if it was
    /// requested but is not possible.
    pub attributor: Result<Option<Attributor>>,
    mode: AttributionMode,
}

impl LiveCapture {
    /// Opens a device. With `run`, the owners of packets have their relation to the command of
    /// `lcap run`.
    ///
    /// # Errors
    /// The device does not exist, or permission is missing; the message contains the remedy.
    pub fn open(
        options: LiveOptions,
        mode: AttributionMode,
        run: Option<RunRoot>,
        stop: Stop,
    ) -> Result<LiveCapture> {
        // Loading BPF takes longer than opening the device, so both are done at the same time.
        let pending_bpf = match mode {
            AttributionMode::Off => None,
            AttributionMode::PerFlow | AttributionMode::PerPacket => {
                Some(PendingBpf::start(options.is_loopback, run)?)
            }
        };
        Ok(LiveCapture {
            source: LiveSource::open(options.clone(), stop)?,
            options,
            mode,
            pending_bpf,
        })
    }

    /// Starts the capture of the packets that match a filter, and the attribution of their
    /// connections.
    ///
    /// # Errors
    /// The filter is not valid for the device.
    pub fn start(self, filter: Filter) -> Result<StartedCapture> {
        let LiveCapture {
            mut source,
            options,
            mode,
            pending_bpf,
        } = self;
        let (kernel, filter) = filter.split_for_kernel(source.interface().link)?;
        source.set_filter(&kernel)?;
        let attributor = pending_bpf
            .map(|bpf| Attributor::start(&options, &kernel, bpf))
            .transpose();
        Ok(StartedCapture {
            source,
            filter,
            attributor,
            mode,
        })
    }
}

impl StartedCapture {
    /// Returns the origin of the owners of packets and flows.
    pub fn attribution(&self) -> Attribution {
        let Ok(Some(attributor)) = &self.attributor else {
            return Attribution::default();
        };
        let table = Arc::clone(attributor.connection_table());
        match self.mode {
            AttributionMode::PerPacket => Attribution::PerPacket(LiveOwners::new(table)),
            AttributionMode::PerFlow => Attribution::PerFlow(LiveOwners::new(table)),
            AttributionMode::Off => Attribution::default(),
        }
    }

    /// Returns the method of attribution, if there is attribution.
    #[cfg(feature = "cli")]
    pub fn method(&self) -> Option<&AttributionMethod> {
        let attributor = self.attributor.as_ref().ok()?.as_ref()?;
        Some(attributor.method())
    }
}
