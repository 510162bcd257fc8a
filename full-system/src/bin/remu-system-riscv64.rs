//! Emulates riscv64 machines.

fn main() -> std::process::ExitCode {
    remu_system::cli::main("riscv64")
}
