# run: threads
break reached
continue
#= Breakpoint 1, reached ()
info threads
#= 1    Thread
#= 2    Thread
#= 3    Thread
thread apply all bt
#= Thread 3
#= worker (arg=0x1)
#= Thread 2
#= worker (arg=0x0)
#= Thread 1
#= reached ()
#= threads ()
thread 2
set scheduler-locking on
print square(6)
#= $1 = 36
set scheduler-locking off
thread 1
delete
finish
#= threads ()
continue
#= exited normally
