# run: calls
# only: aarch64
# gdb 13 cannot do this for RISC-V, whatever the server.
catch syscall write
continue
#= (call to syscall write)
continue
#= (returned from syscall write)
delete
catch syscall
continue
#= (call to syscall
delete
continue
#= exited normally
