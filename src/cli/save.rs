//! Capture files to write: the options of `-w`, and conflicts between files.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use super::args::{CommonArgs, Precision};
use super::style::precision;
use super::usage_error;
use crate::error::Result;
use crate::packet::Resolution;
use crate::sink::{FORMATS, Format, Rotation, SinkFactory};

/// A capture file to write.
pub(super) struct SaveTarget {
    pub(super) path: PathBuf,
    pub(super) format: &'static Format,
    pub(super) rotation: Rotation,
    /// Timestamp resolution; `None` keeps the input's. Live default: microseconds, as in tcpdump.
    pub(super) resolution: Option<Resolution>,
}

/// Validates `-w` and its options; `read` is the input file, if any.
pub(super) fn save_target(
    path: PathBuf,
    args: &CommonArgs,
    read: Option<&Path>,
) -> Result<SaveTarget> {
    let name = path.to_string_lossy().to_ascii_lowercase();
    if [".gz", ".zst"].iter().any(|suffix| name.ends_with(suffix)) {
        return usage_error(format!(
            "-w {}: lcap does not write compressed files; use -w - and a pipe into gzip or zstd",
            path.display()
        ));
    }
    if is_stdout(&path) && std::io::stdout().is_terminal() {
        return usage_error(
            "-w -: standard output is a terminal, but capture files are binary; use a pipe",
        );
    }
    if let Some(read) = read
        && is_same_file(read, &path)
    {
        return usage_error(format!(
            "-w {} is the input file: choose another name",
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
        return usage_error("-W limits the number of files of -C or -G: add one of these options");
    }
    if is_stdout(&path) && (rotation.size.is_some() || rotation.seconds.is_some()) {
        return usage_error("-w - is one stream, but -C and -G start new files: give a file name");
    }
    let resolution = match precision(args) {
        Some(Precision::Nano) => Some(Resolution::Nano),
        Some(Precision::Micro) => Some(Resolution::Micro),
        None => read.is_none().then_some(Resolution::Micro),
    };
    let is_capture = |format: &Format| matches!(format.factory, SinkFactory::CaptureFile(_));
    let extension = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    let has_extension = |format: &Format| extension.as_deref() == Some(format.extension.as_ref());
    let mut captures = FORMATS.iter().filter(|format| is_capture(format));
    let by_extension = captures.clone().find(|format| has_extension(format));
    let Some(format) = by_extension.or_else(|| captures.next()) else {
        return usage_error("-w: no capture file format is available");
    };
    Ok(SaveTarget {
        path,
        format,
        rotation,
        resolution,
    })
}

/// Refuses an output file that is also the file being read or saved.
pub(super) fn check_output_path(
    output: &Path,
    read: Option<&Path>,
    save: Option<&SaveTarget>,
) -> Result<()> {
    let name = output.display();
    if let Some(read) = read
        && is_same_file(read, output)
    {
        return usage_error(format!("-o {name} is the input file: choose another name"));
    }
    let is_target = |save: &SaveTarget| save.path == output || is_same_file(&save.path, output);
    match save {
        Some(save) if !is_stdout(output) && is_target(save) => usage_error(format!(
            "-o {name} is also the file of -w: choose another name"
        )),
        _ => Ok(()),
    }
}

/// True if a path is `-`.
pub(super) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| {
        std::fs::metadata(path)
            .ok()
            .map(|meta| (meta.dev(), meta.ino(), meta.is_file()))
    };
    identity(a).is_some_and(|a| a.2 && Some(a) == identity(b))
}
