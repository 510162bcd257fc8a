//! The devices of `-device`, one row each.

use std::sync::Arc;

use super::keyval::List;
use super::options::{Drive, Options};
use crate::block;
use crate::chardev::Port;
use crate::devices::virtio::{Kind, block::Block, console::Console, net::Net, rng::Rng};
use crate::event_loop::Handle;
use crate::net::Link;
use crate::net::user::User;

/// What devices are made of.
pub(super) struct Makings<'a> {
    options: &'a Options,
    events: &'a Handle,
    /// Disks that no device has yet.
    drives: Vec<Drive>,
    networks: Vec<(String, Arc<dyn Link>)>,
    /// A port for `virtconsole`, once.
    console: Option<Arc<Port>>,
    cards: u8,
}

/// A device that goes onto the virtio bus, with the place it asks for.
pub(super) type Made = (Arc<dyn Kind>, Option<u32>);

type Make = fn(&mut Makings<'_>, &mut List) -> Result<Option<Arc<dyn Kind>>, String>;

struct Row(&'static str, &'static str, Make);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row("virtio-blk-device",    "disk: drive=ID, serial=TEXT",          block_device),
    Row("virtio-net-device",    "network card: netdev=ID, mac=ADDRESS", net_device),
    Row("virtio-rng-device",    "entropy: rng=ID",                      rng_device),
    Row("virtio-serial-device", "where a virtconsole goes",             |_, _| Ok(None)),
    Row("virtconsole",          "console, on the serial port's terminal", console),
];

/// Names without the bus mean the bus that the boards have.
const ALIASES: &[(&str, &str)] = &[
    ("virtio-blk", "virtio-blk-device"),
    ("virtio-net", "virtio-net-device"),
    ("virtio-rng", "virtio-rng-device"),
    ("virtio-serial", "virtio-serial-device"),
];

/// The text of `-device help`.
pub(super) fn help() -> String {
    ROWS.iter()
        .map(|Row(name, about, _)| format!("name \"{name}\", bus virtio-bus, desc \"{about}\"\n"))
        .collect()
}

impl<'a> Makings<'a> {
    pub(super) fn new(
        options: &'a Options,
        events: &'a Handle,
        console: Option<Arc<Port>>,
    ) -> Result<Makings<'a>, String> {
        let mut networks: Vec<(String, Arc<dyn Link>)> = Vec::new();
        for (id, config) in &options.netdevs {
            let user = User::new(config, events).map_err(|e| format!("-netdev {id}: {e}"))?;
            networks.push((id.clone(), Arc::new(user)));
        }
        let drives = options.drives.clone();
        Ok(Makings { options, events, drives, networks, console, cards: 0 })
    }

    /// Makes every device that was asked for, and those that disks bring along.
    pub(super) fn all(&mut self) -> Result<Vec<Made>, String> {
        let mut made = Vec::new();
        for text in &self.options.devices {
            let failed = |e: String| format!("-device {text}: {e}");
            made.extend(self.device(text).map_err(failed)?);
        }
        while let Some(at) = self.drives.iter().position(|d| d.own_device) {
            let drive = self.drives.remove(at);
            made.push((self.disk(&drive)?, None));
        }
        Ok(made)
    }

    fn device(&mut self, text: &str) -> Result<Option<Made>, String> {
        let mut list = List::parse(text, Some("driver"))?;
        let name = list.take("driver").unwrap_or_default();
        let name = ALIASES.iter().find(|a| a.0 == name).map_or(name.as_str(), |a| a.1);
        let Some(Row(_, _, make)) = ROWS.iter().find(|r| r.0 == name) else {
            if name.ends_with("-pci") {
                let other = name.replace("-pci", "-device");
                return Err(format!("the board has no PCI bus; try '{other}'"));
            }
            return Err("no such device; '-device help' lists them".into());
        };
        list.take("id");
        let place = list.take("bus").map(|bus| place(&bus)).transpose()?.flatten();
        let kind = make(self, &mut list)?;
        list.finish(&format!("'{name}'"))?;
        Ok(kind.map(|k| (k, place)))
    }

    fn disk(&self, drive: &Drive) -> Result<Arc<dyn Kind>, String> {
        let snapshot = drive.snapshot || self.options.snapshot;
        let options = block::Options { read_only: drive.read_only, snapshot };
        let image = block::open(&drive.file, options, self.events)?;
        Ok(Block::new(image, &drive.serial))
    }
}

/// `virtio-mmio-bus.N`; other buses are where a console finds its controller.
fn place(bus: &str) -> Result<Option<u32>, String> {
    match bus.strip_prefix("virtio-mmio-bus.") {
        Some(n) => n.parse().map(Some).map_err(|_| format!("no bus '{bus}'")),
        None if bus.ends_with(".0") => Ok(None),
        None => Err(format!("no bus '{bus}'")),
    }
}

fn block_device(m: &mut Makings<'_>, list: &mut List) -> Result<Option<Arc<dyn Kind>>, String> {
    let id = list.take("drive").ok_or("'drive=' is missing")?;
    let at = m.drives.iter().position(|d| d.id.as_ref() == Some(&id));
    let mut drive =
        m.drives.remove(at.ok_or_else(|| format!("no disk has the id '{id}', or it is in use"))?);
    if let Some(serial) = list.take("serial") {
        drive.serial = serial;
    }
    for key in ["bootindex", "num-queues", "queue-size", "write-cache", "logical_block_size"] {
        list.take(key);
    }
    Ok(Some(m.disk(&drive)?))
}

fn net_device(m: &mut Makings<'_>, list: &mut List) -> Result<Option<Arc<dyn Kind>>, String> {
    let id = list.take("netdev").ok_or("'netdev=' is missing")?;
    let at = m.networks.iter().position(|(n, _)| *n == id);
    let (_, link) = m
        .networks
        .remove(at.ok_or_else(|| format!("no network has the id '{id}', or it is in use"))?);
    list.take("bootindex");
    // QEMU's first card has this address, the next ones follow.
    let default = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56u8.wrapping_add(m.cards)];
    m.cards += 1;
    let mac = list.take("mac").map_or(Ok(default), |text| mac(&text))?;
    Ok(Some(Net::new(mac, link)))
}

fn mac(text: &str) -> Result<[u8; 6], String> {
    let bad = || format!("'mac={text}' is no address of a network card");
    let mut out = [0; 6];
    let parts: Vec<_> = text.split(':').collect();
    if parts.len() != out.len() {
        return Err(bad());
    }
    for (to, part) in out.iter_mut().zip(parts) {
        *to = u8::from_str_radix(part, 16).map_err(|_| bad())?;
    }
    if out[0] & 1 != 0 { Err(bad()) } else { Ok(out) }
}

fn rng_device(m: &mut Makings<'_>, list: &mut List) -> Result<Option<Arc<dyn Kind>>, String> {
    if let Some(id) = list.take("rng").filter(|id| !m.options.randoms.contains(id)) {
        return Err(format!("no object has the id '{id}'"));
    }
    Ok(Some(Rng::new().map_err(|e| format!("cannot open /dev/urandom: {e}"))?))
}

fn console(m: &mut Makings<'_>, _: &mut List) -> Result<Option<Arc<dyn Kind>>, String> {
    let port = m.console.take().ok_or("there is one console, and it needs the terminal")?;
    Ok(Some(Console::new(port)))
}
