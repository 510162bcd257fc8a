//! Against the kernel's binfmt_misc, in a user namespace that has one of its own (Linux 6.7).

use std::process::Command;

/// Run inside the namespace; `$B` is the program, `$D` a scratch directory.
const SCRIPT: &str = r#"
set -e
mount -t binfmt_misc binfmt_misc $D/misc
test -e $D/misc/register
"#;

const STEPS: &str = r#"
set -ex
b() { $B --directory $D/misc "$@"; }
echo ':other:E::other::/bin/sh:' > $D/misc/register
! b status
b register --runners $D riscv64 | grep "^remu-riscv64: $D/remu-user-riscv64"
grep -x "interpreter $D/remu-user-riscv64" $D/misc/remu-riscv64
grep -x 'flags: POCF' $D/misc/remu-riscv64
grep -x 'magic 7f454c460201010000000000000000000200f300' $D/misc/remu-riscv64
b register --runners $D riscv64 | grep 'registered already'
b register --runners $D --flags P riscv64 | grep replaced
grep -x 'flags: P' $D/misc/remu-riscv64
b register --runners $D all
b status | grep '^remu-aarch64: .*flags POCF'
! b register --runners $D/nowhere riscv64
! b register nonsense
b unregister riscv64 | grep removed
b unregister riscv64 | grep 'was not there'
test -e $D/misc/other
test -e $D/misc/remu-aarch64
"#;

#[test]
fn register_status_and_unregister_change_only_their_own_entries() {
    let scratch = std::env::temp_dir().join(format!("remu-binfmt-{}", std::process::id()));
    std::fs::create_dir_all(scratch.join("misc")).unwrap();
    for guest in remu_registry::GUESTS {
        std::fs::copy("/bin/true", scratch.join(remu_binfmt::runner_name(guest))).unwrap();
    }
    let run = |script: &str| {
        Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
            .env("B", env!("CARGO_BIN_EXE_remu-binfmt"))
            .env("D", &scratch)
            .output()
    };
    let possible = run(SCRIPT);
    let result = match &possible {
        Ok(o) if o.status.success() => run(&format!("{SCRIPT}{STEPS}")),
        _ => possible,
    };
    std::fs::remove_dir_all(&scratch).unwrap();
    match result {
        Ok(o) if o.status.success() => {}
        Ok(o) if !String::from_utf8_lossy(&o.stderr).contains("+ ") => {
            let why = String::from_utf8_lossy(&o.stderr).into_owned();
            assert!(std::env::var_os("CI").is_none(), "no binfmt_misc in a user namespace: {why}");
            eprintln!("skipped, no binfmt_misc in a user namespace: {why}");
        }
        other => panic!("{other:?}"),
    }
}
