//! Command lines that scripts use, and mistakes.

use super::*;

fn run(args: &[&str]) -> Result<Options, String> {
    let all = std::iter::once("remu-system-riscv64").chain(args.iter().copied());
    let args: Vec<OsString> = all.map(OsString::from).collect();
    match parse("riscv64", &args)? {
        Command::Run(o) => Ok(*o),
        Command::Print(text) => Err(format!("printed: {text}")),
    }
}

#[test]
fn a_usual_command_line_is_read() {
    let o = run(&[
        "-machine",
        "virt",
        "-cpu",
        "rv64",
        "-smp",
        "4",
        "-m",
        "2G",
        "-nographic",
        "-kernel",
        "Image",
        "-append",
        "root=/dev/vda console=ttyS0",
        "-drive",
        "file=a,,b.img,format=raw,id=hd0,if=none",
        "-device",
        "virtio-blk-device,drive=hd0",
        "-netdev",
        "user,id=n,hostfwd=tcp::2222-:22",
        "-device",
        "virtio-net-device,netdev=n",
        "-bios",
        "default",
        "--no-reboot",
        "disk.img",
    ]);
    let o = o.expect("read");
    assert_eq!((o.cpus, o.memory), (4, Some(2 << 30)));
    assert_eq!(o.drives[0].file, std::path::Path::new("a,b.img"));
    assert!(!o.drives[0].own_device && o.drives[1].own_device && o.no_reboot);
    let forward = &o.netdevs[0].1.forwards[0];
    assert_eq!((forward.host_port, forward.guest_port), (2222, 22));
    assert_eq!(o.devices.len(), 2);
}

#[test]
fn flash_images_are_no_disks() {
    let code = "if=pflash,format=raw,readonly=on,file=code";
    let o = run(&["-drive", "if=pflash,unit=1,file=vars", "-drive", code]).expect("read");
    assert!(o.drives.is_empty());
    let paths = o.files.flash.map(|f| f.map(|f| (f.path.display().to_string(), f.read_only)));
    assert_eq!(paths, [Some(("code".into(), true)), Some(("vars".into(), false))]);
}

#[test]
fn gdb_connects_where_it_is_told() {
    let at = |args: &[&str]| run(args).expect("read").gdb;
    assert_eq!((at(&["-s"]).as_deref(), at(&[])), (Some("1234"), None));
    assert_eq!(at(&["-gdb", "tcp:localhost:9"]).as_deref(), Some("localhost:9"));
    assert_eq!(at(&["-gdb", "unix:/tmp/g,server=on,wait=off"]).as_deref(), Some("/tmp/g"));
    assert_eq!(at(&["-s", "-gdb", "none"]), None);
}

#[test]
fn numbers_have_their_units() {
    assert_eq!(run(&["-m", "512"]).expect("read").memory, Some(512 << 20));
    assert_eq!(run(&["-m", "size=1G"]).expect("read").memory, Some(1 << 30));
    assert_eq!(run(&["-smp", "cores=2,threads=3"]).expect("read").cpus, 6);
    assert_eq!(run(&["-smp", "cpus=3,maxcpus=3"]).expect("read").cpus, 3);
}

#[test]
fn mistakes_are_one_line_that_names_them() {
    let say = |args: &[&str]| run(args).expect_err("a mistake");
    assert_eq!(say(&["-zap"]), "unknown option '-zap'; try 'remu-system-riscv64 -h'");
    assert_eq!(say(&["-kernel"]), "-kernel needs an argument: FILE");
    assert_eq!(say(&["-m", "lots"]), "-m: 'lots' is not a size");
    assert_eq!(say(&["-m", "0"]), "-m: '0' is not a size");
    assert_eq!(say(&["-smp", "0"]), "-smp: there is no machine without processors");
    assert_eq!(say(&["-M", "virt,aia=on"]), "-M: the board has no property 'aia'");
    assert_eq!(
        say(&["-gdb", "stdio"]),
        "-gdb: 'stdio' is not supported; there are none, tcp:[HOST]:PORT and unix:PATH"
    );
    assert_eq!(say(&["-drive", "if=none"]), "-drive: a disk needs 'file='");
    assert_eq!(
        say(&["-drive", "file=x,format=qcow2"]),
        "-drive: image format 'qcow2' is not supported, only raw"
    );
    assert_eq!(say(&["-drive", "file=x,colour=red"]), "-drive: a disk has no property 'colour'");
    let flash = "if=pflash,format=raw,file=x";
    assert_eq!(
        say(&["-drive", flash, "-drive", flash, "-drive", flash]),
        "-drive: there is no such flash, or it has an image"
    );
    assert_eq!(say(&["-drive", "if=pflash,file=x,unit=two"]), "-drive: 'unit=two' is no number");
    assert_eq!(
        say(&["-netdev", "user,id=n,hostfwd=udp::1-:2"]),
        "-netdev: 'hostfwd=udp::1-:2': only tcp is supported"
    );
    assert_eq!(
        say(&["-netdev", "tap,id=n"]),
        "-netdev: network 'tap' is not supported; there is only 'user'"
    );
    assert!(
        say(&["-serial", "vc"]).starts_with("-serial: 'vc' is not supported; there are none, null")
    );
    assert_eq!(say(&["-accel", "kvm"]), "-accel: 'kvm' is not supported; there is only 'tcg'");
}

#[test]
fn lists_are_printed() {
    let text = |args: &[&str]| run(args).expect_err("printed");
    assert!(text(&["-M", "help"]).contains("virt"));
    assert!(text(&["-device", "help"]).contains("virtio-blk-device"));
    assert!(text(&["-cpu", "help"]).contains("rv64"));
    assert!(text(&["-d", "help"]).contains("guest_errors"));
    let help = text(&["-h"]);
    for row in ROWS.iter().filter(|r| !r.help.is_empty()) {
        assert!(help.contains(&format!("  -{}", row.name)), "{}", row.name);
    }
}
