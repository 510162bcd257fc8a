# run: forks
set detach-on-fork off
set schedule-multiple on
break square
continue
#= New inferior 2
#= hit Breakpoint 1
#= square (x=7)
info inferiors
#= 1    process
#= * 2    process
continue
#= exited with code 03
inferior 1
continue
#= New inferior 3
#= is executing new program
#= square (x=5)
delete
continue
#= exited normally
inferior 1
continue
#= exited normally
