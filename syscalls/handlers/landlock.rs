//! Landlock (landlock(7)): the kernel's, which binds the runner with the guest. So the runner's own
//! program stays executable: without that no guest program could be executed, whatever the rules say.

use std::os::fd::AsRawFd;

use crate::context::Context;
use crate::table::kinds;
use crate::{Errno, SysResult, host};

/// `LANDLOCK_RULE_PATH_BENEATH`.
const PATH_BENEATH: u64 = 1;
/// `LANDLOCK_ACCESS_FS_EXECUTE` and `LANDLOCK_ACCESS_FS_READ_FILE`.
const EXECUTE: u64 = 1;
const READ_FILE: u64 = 1 << 2;

/// landlock_restrict_self(2). That a program may be executed is asked from the kernel for each
/// (`AT_EXECVE_CHECK`), so the runner's permission is not the guest's.
pub(crate) fn restrict_self(
    cx: &mut Context<'_>,
    ruleset: kinds::Fd,
    flags: kinds::Hex,
) -> SysResult<u64> {
    keep_runner(ruleset.0);
    cx.host(libc::SYS_landlock_restrict_self, [ruleset.0 as u64, flags.0, 0, 0, 0, 0])
}

/// Adds a rule for the runner's program. A rule set that handles neither right needs none; whatever else
/// is wrong with it the call itself reports.
fn keep_runner(ruleset: i32) {
    let Ok(runner) = host::open_path(c"/proc/self/exe") else { return };
    for rights in [EXECUTE | READ_FILE, EXECUTE, READ_FILE] {
        // struct landlock_path_beneath_attr, packed: rights, descriptor.
        let mut rule = [0u8; 12];
        rule[..8].copy_from_slice(&rights.to_le_bytes());
        rule[8..].copy_from_slice(&runner.as_raw_fd().to_le_bytes());
        let args = [ruleset as u64, PATH_BENEATH, rule.as_ptr() as u64, 0, 0, 0];
        // EINVAL: the set does not handle one of the rights.
        if host::forward(libc::SYS_landlock_add_rule, &args) != Err(Errno::EINVAL) {
            return;
        }
    }
}
