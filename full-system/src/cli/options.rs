//! Options as the command line gives them.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use super::keyval::List;
use crate::boards::Files;
use crate::chardev::Spec;
use crate::event_loop::Kind;
use crate::net::user::{Config, Forward, GUEST};

/// Every option.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) show_help: bool,
    pub(super) show_version: bool,
    pub(super) machine: Option<String>,
    /// Properties of the board.
    pub(super) properties: Vec<(String, String)>,
    pub(super) cpu: Option<String>,
    pub(super) cpus: u32,
    pub(super) memory: Option<u64>,
    pub(super) files: Files,
    pub(super) drives: Vec<Drive>,
    pub(super) devices: Vec<String>,
    pub(super) netdevs: Vec<(String, Config)>,
    pub(super) randoms: Vec<String>,
    pub(super) nographic: bool,
    pub(super) nodefaults: bool,
    pub(super) serial: Vec<Spec>,
    pub(super) monitor: Option<Spec>,
    pub(super) no_reboot: bool,
    pub(super) no_shutdown: bool,
    pub(super) snapshot: bool,
    pub(super) paused: bool,
    /// Where gdb connects.
    pub(super) gdb: Option<String>,
    pub(super) dump_tree: Option<PathBuf>,
    pub(super) log_items: Vec<String>,
    pub(super) log_file: Option<PathBuf>,
    pub(super) one_insn: bool,
    pub(super) pidfile: Option<PathBuf>,
    pub(super) event_loop: Kind,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Drive {
    /// The image.
    pub(super) file: PathBuf,
    /// By which a device names it.
    pub(super) id: Option<String>,
    /// It gets a virtio device of its own.
    pub(super) own_device: bool,
    /// It is the image of this flash instead; any that is free if no number was given.
    pub(super) flash: Option<Option<usize>>,
    /// Nothing may be written.
    pub(super) read_only: bool,
    /// What is written is forgotten.
    pub(super) snapshot: bool,
    /// Identity the guest reads.
    pub(super) serial: String,
}

/// Image formats that are not raw, by their first bytes.
const FORMATS: &[(&[u8], &str)] =
    &[(b"QFI\xfb", "qcow2"), (b"KDMV", "vmdk"), (b"conectix", "vpc"), (b"vhdxfile", "vhdx")];

impl Drive {
    pub(super) fn new(mut list: List) -> Result<Drive, String> {
        let file: PathBuf = list.take("file").ok_or("a disk needs 'file='")?.into();
        let (own_device, flash) = match list.take("if").as_deref() {
            None | Some("virtio") => (true, None),
            Some("none") => (false, None),
            Some("pflash") => {
                let unit = list.take("unit").or_else(|| list.take("index"));
                let parsed =
                    unit.map(|n| n.parse().map_err(|_| format!("'unit={n}' is no number")));
                (false, Some(parsed.transpose()?))
            }
            Some(other) => {
                return Err(format!(
                    "'if={other}' is not supported; there are none, virtio and pflash"
                ));
            }
        };
        match list.take("format").as_deref() {
            Some("raw") => {}
            // Said nothing, an image that says it is something else must not be taken for a raw one.
            None => {
                let start = crate::boards::load::first_bytes(&file, 8);
                if let Some((_, name)) = FORMATS.iter().find(|(magic, _)| start.starts_with(magic))
                {
                    return Err(format!(
                        "'{}' is a {name} image; only raw ones are supported",
                        file.display()
                    ));
                }
            }
            Some(other) => {
                return Err(format!("image format '{other}' is not supported, only raw"));
            }
        }
        if let Some(media) = list.take("media").filter(|m| m != "disk") {
            return Err(format!("'media={media}' is not supported"));
        }
        // These choose how QEMU reaches the file: here it is always the page cache and one ring.
        for key in ["cache", "aio", "discard", "detect-zeroes", "index", "werror", "rerror"] {
            list.take(key);
        }
        let read_only = list.take_switch("readonly")?.or(list.take_switch("read-only")?);
        let drive = Drive {
            file,
            id: list.take("id"),
            own_device,
            flash,
            read_only: read_only.unwrap_or(false),
            snapshot: list.take_switch("snapshot")?.unwrap_or(false),
            serial: list.take("serial").unwrap_or_default(),
        };
        list.finish("a disk")?;
        Ok(drive)
    }
}

/// Reads what a network is to be.
pub(super) fn network(mut list: List) -> Result<Config, String> {
    match list.take("type").as_deref() {
        Some("user") => {}
        other => {
            let other = other.unwrap_or_default();
            return Err(format!("network '{other}' is not supported; there is only 'user'"));
        }
    }
    let forwards = list.take_all("hostfwd").iter().map(|f| forward(f)).collect::<Result<_, _>>()?;
    let restrict = list.take_switch("restrict")?.unwrap_or(false);
    list.finish("the network")?;
    Ok(Config { forwards, restrict })
}

/// `[tcp]:[HOST]:PORT-[GUEST]:PORT`.
fn forward(text: &str) -> Result<Forward, String> {
    let bad = || format!("'hostfwd={text}' is not tcp:[HOST]:PORT-[GUEST]:PORT");
    let (host, guest) = text.split_once('-').ok_or_else(bad)?;
    let (protocol, host) = host.split_once(':').ok_or_else(bad)?;
    if !["tcp", ""].contains(&protocol) {
        return Err(format!("'hostfwd={text}': only tcp is supported"));
    }
    let end = |text: &str, default: Ipv4Addr| {
        let (address, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().filter(|&p: &u16| p != 0)?;
        let address = if address.is_empty() { default } else { address.parse().ok()? };
        Some((address, port))
    };
    let (host, host_port) = end(host, Ipv4Addr::UNSPECIFIED).ok_or_else(bad)?;
    let (guest, guest_port) = end(guest, GUEST).ok_or_else(bad)?;
    Ok(Forward { host, host_port, guest, guest_port })
}
