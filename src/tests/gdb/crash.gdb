# run: crash
# ends: by SIGSEGV
continue
#= Program received signal SIGSEGV
bt 1
#= crash ()
print $_siginfo._sifields._sigfault.si_addr
#= 0x10
continue
#= Program terminated with signal SIGSEGV
