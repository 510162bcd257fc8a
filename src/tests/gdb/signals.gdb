# run: signals
handle SIGUSR1 stop print nopass
continue
#= Program received signal SIGUSR1
print $_siginfo.si_signo
#= $1 = 10
print $_siginfo._sifields._kill.si_pid > 0
#= $2 = 1
continue
#= Program received signal SIGUSR2
break on_signal
signal SIGUSR2
#= Breakpoint 1, on_signal (sig=12)
bt
#= on_signal (sig=12)
#= <signal handler called>
finish
#= signal handler called
continue
#= exited normally
