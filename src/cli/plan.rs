//! What the words mean together: every conflict is found here, before anything is opened for writing.

use std::io::IsTerminal;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{Basis, Capture, Precision};
use super::look::{precision, style};
use super::program::Program;
use super::whose::{Processes, enter, processes, whose};
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::flow::{Condition, Settings, Side};
use crate::host::interfaces;
use crate::owners;
use crate::packet::{LinkType, Resolution};
use crate::pipeline::{Flush, Limits};
use crate::sink::flows::{Layout, Order};
use crate::sink::follow::Look;
use crate::sink::text::Style;
use crate::sink::{FORMATS, Format, Open, Rotation};
use crate::source::live;

/// A run, ready to begin.
pub(super) struct Plan {
    pub(super) input: Input,
    pub(super) filter: Filter,
    pub(super) work: Work,
}

/// What is done with packets, wherever they come from.
pub(super) struct Work {
    pub(super) limits: Limits,
    pub(super) save: Option<Save>,
    pub(super) show: Show,
    pub(super) flush: Flush,
    /// What flows may cost, where there are to be any.
    pub(super) flows: Option<Settings>,
    /// How many threads share the work; none is as many as are of use.
    pub(super) threads: Option<NonZero<usize>>,
    /// Whether the processes at both ends are looked up.
    pub(super) processes: Processes,
    /// Whose packets are wanted.
    pub(super) whose: owners::Wanted,
    /// What is run meanwhile, and ends the capture.
    pub(super) program: Option<Program>,
}

/// Where packets come from.
pub(super) enum Input {
    File(PathBuf),
    Device(live::Options),
}

/// A capture file to write.
pub(super) struct Save {
    pub(super) path: PathBuf,
    pub(super) format: &'static Format,
    pub(super) rotation: Rotation,
    /// None follows the source; live it is microseconds, as tcpdump has it.
    pub(super) resolution: Option<Resolution>,
}

/// What goes to standard output.
pub(super) enum Show {
    Nothing,
    Count,
    Packets(&'static Format, Style),
    Flows(Table),
    Conversation(Look),
    Raw(u64, Side),
    /// Streams, in files.
    Directory(PathBuf, Option<u64>),
}

/// Flows, as they are to be written.
pub(super) struct Table {
    pub(super) format: &'static Format,
    pub(super) layout: Layout,
    /// None is standard output.
    pub(super) output: Option<PathBuf>,
    pub(super) order: Option<(&'static Order, Option<usize>)>,
    pub(super) conditions: Vec<&'static Condition>,
}

impl Show {
    /// Whether standard output is for this.
    pub(super) fn is_on_stdout(&self) -> bool {
        match self {
            Show::Nothing | Show::Directory(..) => false,
            Show::Flows(table) => table.output.as_deref().is_none_or(is_stdout),
            Show::Count | Show::Packets(..) | Show::Conversation(_) | Show::Raw(..) => true,
        }
    }

    /// The one flow that is to be shown.
    pub(super) fn only_flow(&self) -> Option<u64> {
        match self {
            Show::Conversation(look) => look.flow,
            Show::Raw(flow, _) => Some(*flow),
            Show::Directory(_, flow) => *flow,
            Show::Nothing | Show::Count | Show::Packets(..) | Show::Flows(_) => None,
        }
    }
}

/// Flows that ended are reported at most this much later than they are due.
const TICK: Duration = Duration::from_millis(250);
/// One block of the ring, which has at least one, in bytes.
const SMALLEST_RING: u64 = 256 << 10;
/// The kernel's ring unless `-B` says otherwise, in bytes.
const RING: u64 = 64 << 20;

/// What is to be shown, and what that asks of the source.
pub(super) struct Wish {
    pub(super) show: Show,
    /// What flows may cost, where there are to be any.
    pub(super) flows: Option<Settings>,
    pub(super) flush: Flush,
    /// Whether somebody looks at what is shown while it comes.
    pub(super) pace: live::Pace,
}

/// Judges the words of a command that watches packets.
pub(super) fn watch(args: &Capture) -> Result<Plan> {
    let (basis, words) = (&args.basis, &args.show);
    let is_saved = basis.save.write.is_some() && !words.print;
    let show = match format(|format| format.name == words.format) {
        _ if words.count_only => Show::Count,
        _ if is_saved => Show::Nothing,
        Some(format) => Show::Packets(format, style(args)),
        None => return usage(format!("--format {}: no such format", words.format)),
    };
    plan(
        basis,
        Wish {
            show,
            flows: None,
            flush: if words.line_buffered {
                Flush::Packet
            } else {
                Flush::Full
            },
            pace: if is_saved {
                live::Pace::Leisurely
            } else {
                live::Pace::Prompt
            },
        },
    )
}

/// Judges the words that all commands have.
pub(super) fn plan(args: &Basis, wish: Wish) -> Result<Plan> {
    let expression = expression(args)?;
    let filter = Filter::new(args.port.clone(), &expression)?;
    let input = input(args, &wish)?;
    if let Input::Device(options) = &input
        && options.is_loopback
    {
        // Refuses now what opening the device, with all that it may lack, would refuse later.
        let link = options.link.unwrap_or(LinkType::ETHERNET);
        Filter::new(None, &expression)?.into_kernel(link)?;
    }
    let save = args
        .save
        .write
        .clone()
        .map(|path| save(path, args, &input))
        .transpose()?;
    if let Show::Flows(Table {
        output: Some(output),
        ..
    }) = &wish.show
    {
        keep_apart(output, &input, save.as_ref())?;
    }
    let to_stdout = save.as_ref().is_some_and(|save| is_stdout(&save.path));
    if to_stdout && wish.show.is_on_stdout() {
        return usage(
            "-w - and what is shown both want standard output: save to a file, or leave one out",
        );
    }
    let Wish {
        show, flows, flush, ..
    } = wish;
    let whose = whose(&args.whose)?;
    let processes = match &input {
        Input::Device(options) => {
            processes(args, options.is_loopback, &whose, &show, save.as_ref())?
        }
        Input::File(_) => Processes::No,
    };
    Ok(Plan {
        input,
        filter,
        work: Work {
            limits: Limits {
                packets: args.end.count,
                bytes: args.end.max_bytes,
            },
            save,
            show,
            flush: if args.save.packet_buffered {
                Flush::Packet
            } else {
                flush
            },
            flows,
            threads: args.input.threads,
            processes,
            whose,
            program: None,
        },
    })
}

pub(super) fn usage<T>(what: impl Into<String>) -> Result<T> {
    Err(Error::Usage(what.into()))
}

/// The words, or those of the file that `-F` names; there a `#` begins a comment.
fn expression(args: &Basis) -> Result<String> {
    let Some(path) = &args.expression_file else {
        return Ok(args.expression.join(" "));
    };
    let failed = |source| Error::File {
        action: "cannot read",
        path: path.clone(),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    Ok(lines.collect::<Vec<_>>().join(" "))
}

fn input(args: &Basis, wish: &Wish) -> Result<Input> {
    if let Some(path) = &args.input.read {
        if args.end.duration.is_some() {
            return usage("--duration is for live captures; a file ends by itself");
        }
        return Ok(Input::File(path.clone()));
    }
    enter(&args.input)?;
    let device = interfaces::find(args.input.interface.as_deref())?;
    let buffer = args.input.buffer_size.unwrap_or(RING);
    let snap_len = match args.input.snapshot_length {
        0 => live::MAX_SNAP_LEN,
        len if len > live::MAX_SNAP_LEN => {
            return usage(format!("-s {len}: the most is {}", live::MAX_SNAP_LEN));
        }
        len => len,
    };
    Ok(Input::Device(live::Options {
        device: device.name,
        is_loopback: device.is_loopback,
        snap_len,
        buffer: match u32::try_from(buffer.max(SMALLEST_RING))
            .ok()
            .filter(|&size| size <= i32::MAX as u32)
        {
            Some(size) => size,
            None => return usage("-B: a ring is smaller than 2 GiB"),
        },
        link: args.input.linktype.as_deref().map(link_type).transpose()?,
        pace: wish.pace,
        tick: wish.flows.map(|_| TICK),
        duration: args.end.duration.map(jiff::SignedDuration::unsigned_abs),
    }))
}

/// The link types that a device may offer.
fn link_type(name: &str) -> Result<LinkType> {
    let offered = [
        LinkType::ETHERNET,
        LinkType::LINUX_SLL,
        LinkType::LINUX_SLL2,
        LinkType::RAW,
    ];
    let found = offered.into_iter().find(|link| {
        link.name()
            .is_some_and(|own| own.eq_ignore_ascii_case(name))
    });
    found.ok_or_else(|| {
        Error::Usage(format!(
            "-y {name}: give EN10MB, LINUX_SLL, LINUX_SLL2 or RAW"
        ))
    })
}

fn save(path: PathBuf, args: &Basis, input: &Input) -> Result<Save> {
    let name = path.to_string_lossy().to_ascii_lowercase();
    if [".gz", ".zst"].iter().any(|packed| name.ends_with(packed)) {
        return usage(format!(
            "-w {}: lcap reads packed files and writes plain ones; use -w - and a pipe into gzip or zstd",
            path.display()
        ));
    }
    if is_stdout(&path) && std::io::stdout().is_terminal() {
        return usage(
            "-w -: standard output is a terminal, and a capture file is not text; use a pipe",
        );
    }
    if let Input::File(read) = input
        && same_file(read, &path)
    {
        return usage(format!(
            "-w {}: that is the file being read",
            path.display()
        ));
    }
    let rotation = Rotation {
        size: args
            .save
            .rotate_size
            .map(|megabytes| megabytes.saturating_mul(1_000_000)),
        seconds: args.save.rotate_seconds,
        files: args.save.rotate_files,
    };
    if rotation.files.is_some() && rotation.size.is_none() && rotation.seconds.is_none() {
        return usage("-W counts the files of -C or -G: give one of them");
    }
    if is_stdout(&path) && (rotation.size.is_some() || rotation.seconds.is_some()) {
        return usage("-w - is one stream: -C and -G cannot divide it");
    }
    let live = matches!(input, Input::Device(_));
    let resolution = match precision(args) {
        Some(Precision::Nano) => Some(Resolution::Nano),
        Some(Precision::Micro) => Some(Resolution::Micro),
        None => live.then_some(Resolution::Micro),
    };
    let saved = |format: &Format| matches!(format.open, Open::Saved(_));
    let extension = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    let named =
        |found: &Format| saved(found) && extension.as_deref() == Some(found.extension.as_ref());
    let Some(format) = format(named).or_else(|| format(saved)) else {
        return usage("no format can be saved");
    };
    Ok(Save {
        path,
        format,
        rotation,
        resolution,
    })
}

/// A report is written neither over what is read nor over what is saved.
fn keep_apart(output: &Path, input: &Input, save: Option<&Save>) -> Result<()> {
    let shown = output.display();
    if let Input::File(read) = input
        && same_file(read, output)
    {
        return usage(format!("-o {shown}: that is the file being read"));
    }
    let is_saved = |save: &Save| save.path == output || same_file(&save.path, output);
    match save {
        Some(save) if !is_stdout(output) && is_saved(save) => {
            usage(format!("-o {shown}: that is the file being saved"))
        }
        _ => Ok(()),
    }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// The first format that is wanted.
pub(super) fn format(wanted: impl Fn(&Format) -> bool) -> Option<&'static Format> {
    FORMATS.iter().find(|format| wanted(format))
}

fn same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| {
        std::fs::metadata(path)
            .ok()
            .map(|meta| (meta.dev(), meta.ino(), meta.is_file()))
    };
    identity(a).is_some_and(|a| a.2 && Some(a) == identity(b))
}
