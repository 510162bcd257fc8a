//! The rows of the command line. Parsing and `-h` follow from them.

use super::keyval::List;
use super::options::{Options, network};
use crate::boards;

/// What a row does with its argument; an error text for a bad one.
pub(super) type Apply = fn(&mut Options, &str) -> Result<(), String>;

/// One option.
pub(super) struct Row {
    /// Name without the hyphen; a second hyphen is accepted.
    pub(super) name: &'static str,
    /// Name of the argument, empty for none.
    pub(super) arg: &'static str,
    /// One line of help; empty hides the row.
    pub(super) help: &'static str,
    /// What it does.
    pub(super) apply: Apply,
}

const fn row(name: &'static str, arg: &'static str, help: &'static str, apply: Apply) -> Row {
    Row { name, arg, help, apply }
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    row("h", "", "print this help", |o, _| { o.show_help = true; Ok(()) }),
    row("help", "", "", |o, _| { o.show_help = true; Ok(()) }),
    row("version", "", "print the version", |o, _| { o.show_version = true; Ok(()) }),
    row("M", "BOARD[,KEY=VALUE]", "the board; 'help' lists them", machine),
    row("machine", "BOARD[,KEY=VALUE]", "", machine),
    row("cpu", "MODEL[,FEATURE=on|off]", "processor model; 'help' lists them", |o, a| { o.cpu = Some(a.into()); Ok(()) }),
    row("smp", "N", "number of processors", smp),
    row("m", "SIZE", "memory in MiB, or with suffix K, M, G", memory),
    row("accel", "tcg", "accepted: code is always translated", accel),
    row("name", "NAME", "accepted", |_, _| Ok(())),
    row("bios", "FILE|none|default", "firmware", |o, a| { o.files.bios = Some(a.into()); Ok(()) }),
    row("kernel", "FILE", "kernel: Image, ELF, packed or not", |o, a| { o.files.kernel = Some(a.into()); Ok(()) }),
    row("initrd", "FILE", "initial file system", |o, a| { o.files.initrd = Some(a.into()); Ok(()) }),
    row("append", "TEXT", "the kernel's command line", |o, a| { o.files.append = Some(a.into()); Ok(()) }),
    row("dtb", "FILE", "device tree, instead of the board's own", |o, a| { o.files.dtb = Some(a.into()); Ok(()) }),
    row("L", "DIR", "look for firmware in DIR", |o, a| { o.files.data.push(a.into()); Ok(()) }),
    row("drive", "file=FILE[,KEY=VALUE]", "a disk: if=none|virtio|pflash, id=, format=raw, readonly=, snapshot=", drive),
    row("hda", "FILE", "a disk", |o, a| drive(o, &format!("file={}", a.replace(',', ",,")))),
    row("device", "DEVICE[,KEY=VALUE]", "a device; 'help' lists them", |o, a| { o.devices.push(a.into()); Ok(()) }),
    row("netdev", "user,id=ID[,KEY=VALUE]", "a network for a card: hostfwd=tcp::PORT-:PORT", netdev),
    row("nic", "user|none[,KEY=VALUE]", "a network with a card", nic),
    row("object", "rng-random,id=ID", "accepted: the host's random bytes", object),
    row("nographic", "", "serial port and monitor on the terminal (also without it)", |o, _| { o.nographic = true; Ok(()) }),
    row("display", "none", "there is no display", display),
    row("serial", "DEVICE", "serial port: stdio, mon:stdio, pty, file:PATH, null, none", |o, a| { o.serial.push(a.parse()?); Ok(()) }),
    row("monitor", "DEVICE", "monitor, likewise", |o, a| { o.monitor = Some(a.parse()?); Ok(()) }),
    row("parallel", "none", "", |_, a| only("none", a)),
    row("vga", "none", "", |_, a| only("none", a)),
    row("nodefaults", "", "no devices but those asked for", |o, _| { o.nodefaults = true; Ok(()) }),
    row("no-user-config", "", "accepted: there is none", |_, _| Ok(())),
    row("no-reboot", "", "end instead of a reset", |o, _| { o.no_reboot = true; Ok(()) }),
    row("no-shutdown", "", "stop instead of power off", |o, _| { o.no_shutdown = true; Ok(()) }),
    row("snapshot", "", "forget at the end what was written to disks", |o, _| { o.snapshot = true; Ok(()) }),
    row("S", "", "do not start; the monitor's 'cont' does", |o, _| { o.paused = true; Ok(()) }),
    row("s", "", "as -gdb tcp::1234", |o, _| { o.gdb = crate::gdb::place("tcp::1234")?; Ok(()) }),
    row("gdb", "DEVICE", "wait for gdb at tcp:[HOST]:PORT or unix:PATH", |o, a| { o.gdb = crate::gdb::place(a)?; Ok(()) }),
    row("qmp", "DEVICE", "", |_, _| Err("not supported yet: use -monitor".into())),
    row("chardev", "BACKEND", "", |_, _| Err("not supported yet: name the device with -serial or -monitor".into())),
    row("blockdev", "NODE", "", |_, _| Err("not supported yet: use -drive".into())),
    row("enable-kvm", "", "", |_, _| Err("another processor's code cannot run under KVM: run without it".into())),
    row("d", "ITEM,...", "what to log; 'help' lists the items", |o, a| { o.log_items.push(a.into()); Ok(()) }),
    row("D", "FILE", "log to FILE", |o, a| { o.log_file = Some(a.into()); Ok(()) }),
    row("one-insn-per-tb", "", "translate one instruction at a time", |o, _| { o.one_insn = true; Ok(()) }),
    row("pidfile", "FILE", "write the process number to FILE", |o, a| { o.pidfile = Some(a.into()); Ok(()) }),
    row("event-loop", "auto|uring|epoll", "how descriptors, timers and disks are waited for", event_loop),
];

fn only(known: &str, arg: &str) -> Result<(), String> {
    if arg == known {
        Ok(())
    } else {
        Err(format!("'{arg}' is not supported; there is only '{known}'"))
    }
}

fn machine(o: &mut Options, arg: &str) -> Result<(), String> {
    let mut list = List::parse(arg, Some("type"))?;
    if let Some(name) = list.take("type") {
        o.machine = Some(name);
    }
    if let Some(path) = list.take("dumpdtb") {
        o.dump_tree = Some(path.into());
    }
    if let Some(name) = list.take("accel") {
        accel(o, &name)?;
    }
    for key in boards::PROPERTIES {
        let value = list.take(key).map(|value| ((*key).to_string(), value));
        o.properties.extend(value);
    }
    list.finish("the board")
}

fn accel(_: &mut Options, arg: &str) -> Result<(), String> {
    let mut list = List::parse(arg, Some("accel"))?;
    let name = list.take("accel").unwrap_or_default();
    // Whether processors have threads of their own is a choice in QEMU; here they always do.
    list.take("thread");
    list.take("tb-size");
    only("tcg", &name)?;
    list.finish("tcg")
}

fn smp(o: &mut Options, arg: &str) -> Result<(), String> {
    let mut list = List::parse(arg, Some("cpus"))?;
    let mut number = |key: &str| match list.take(key) {
        None => Ok(None),
        Some(text) => {
            text.parse::<u32>().map(Some).map_err(|_| format!("'{text}' is not a number"))
        }
    };
    let cpus = number("cpus")?;
    let most = number("maxcpus")?;
    let parts = ["sockets", "dies", "clusters", "cores", "threads"].map(number);
    let mut product = 1u32;
    for part in parts {
        product = part?.unwrap_or(1).checked_mul(product).ok_or("too many processors")?;
    }
    o.cpus = cpus.or(most).unwrap_or(product);
    if o.cpus == 0 {
        return Err("there is no machine without processors".into());
    }
    list.finish("the processors")
}

fn memory(o: &mut Options, arg: &str) -> Result<(), String> {
    let mut list = List::parse(arg, Some("size"))?;
    let text = list.take("size").unwrap_or_default();
    o.memory = Some(size(&text, 20)?);
    list.finish("memory")
}

/// A number with an optional suffix; without one it counts units of two to the power of `shift`.
pub(super) fn size(text: &str, shift: u32) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last().map(u8::to_ascii_uppercase) {
        Some(b'B') => (&text[..text.len() - 1], 0),
        Some(b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        Some(b'T') => (&text[..text.len() - 1], 40),
        _ => (text, shift),
    };
    let n: Option<u64> = digits.parse().ok();
    let n = n.and_then(|n| n.checked_mul(1 << shift)).filter(|&n| n > 0);
    n.ok_or_else(|| format!("'{text}' is not a size"))
}

fn drive(o: &mut Options, arg: &str) -> Result<(), String> {
    let list = List::parse(arg, Some("file"))?;
    let drive = super::options::Drive::new(list)?;
    let Some(unit) = drive.flash else {
        o.drives.push(drive);
        return Ok(());
    };
    let free = o.files.flash.iter().position(Option::is_none);
    let place = unit.or(free).and_then(|unit| o.files.flash.get_mut(unit));
    let place =
        place.filter(|p| p.is_none()).ok_or("there is no such flash, or it has an image")?;
    *place = Some(boards::FlashImage { path: drive.file, read_only: drive.read_only });
    Ok(())
}

fn netdev(o: &mut Options, arg: &str) -> Result<(), String> {
    let mut list = List::parse(arg, Some("type"))?;
    let id = list.take("id").ok_or("a network needs 'id='")?;
    let net = network(list)?;
    if o.netdevs.iter().any(|(other, _)| *other == id) {
        return Err(format!("two networks have the id '{id}'"));
    }
    o.netdevs.push((id, net));
    Ok(())
}

fn nic(o: &mut Options, arg: &str) -> Result<(), String> {
    let mut list = List::parse(arg, Some("type"))?;
    if list.clone().take("type").as_deref() == Some("none") {
        return Ok(());
    }
    let model = list.take("model");
    let mac = list.take("mac");
    let known = [None, Some("virtio"), Some("virtio-net-device")];
    if !known.contains(&model.as_deref()) {
        return Err(format!("no network card '{}'", model.unwrap_or_default()));
    }
    let id = format!("nic{}", o.netdevs.len());
    o.netdevs.push((id.clone(), network(list)?));
    let mac = mac.map(|m| format!(",mac={m}")).unwrap_or_default();
    o.devices.push(format!("virtio-net-device,netdev={id}{mac}"));
    Ok(())
}

fn object(o: &mut Options, arg: &str) -> Result<(), String> {
    let mut list = List::parse(arg, Some("qom-type"))?;
    let kind = list.take("qom-type").unwrap_or_default();
    if !["rng-random", "rng-builtin"].contains(&kind.as_str()) {
        return Err(format!("no object '{kind}'; there are rng-random and rng-builtin"));
    }
    o.randoms.push(list.take("id").ok_or("an object needs 'id='")?);
    match list.take("filename").as_deref() {
        None | Some("/dev/urandom" | "/dev/random" | "/dev/hwrng") => list.finish(&kind),
        Some(other) => Err(format!("'{other}' is no source of random bytes that is known")),
    }
}

fn display(_: &mut Options, arg: &str) -> Result<(), String> {
    only("none", arg)
}

fn event_loop(o: &mut Options, arg: &str) -> Result<(), String> {
    use crate::event_loop::Kind;
    o.event_loop = match arg {
        "auto" => Kind::Auto,
        "uring" => Kind::Uring,
        "epoll" => Kind::Epoll,
        _ => return Err(format!("'{arg}' is none of auto, uring, epoll")),
    };
    Ok(())
}

/// The text of `-h`.
pub(super) fn usage(program: &str, guest: &str) -> String {
    let mut out = format!(
        "usage: {program} [options] [disk image]\nEmulates a whole {guest} machine.\n\nOptions:\n"
    );
    for r in ROWS.iter().filter(|r| !r.help.is_empty()) {
        let left = if r.arg.is_empty() {
            format!("-{}", r.name)
        } else {
            format!("-{} {}", r.name, r.arg)
        };
        out += &format!("  {left:<36} {}\n", r.help);
    }
    out + "\nOn the terminal, Ctrl-A h lists what keys after Ctrl-A do.\n"
}

/// The text of `-M help`.
pub(super) fn boards(guest: &str) -> String {
    let mut out = String::from("Supported machines are:\n");
    for b in boards::of(guest) {
        out += &format!("{:<20} {}\n", b.name, b.about);
    }
    out
}
