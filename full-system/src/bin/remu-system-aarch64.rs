//! Emulates aarch64 machines.

fn main() -> std::process::ExitCode {
    remu_system::cli::main("aarch64")
}
