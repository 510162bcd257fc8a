# Every word of it on both guests; "#=" is what must appear, in this order.
#= CPU#0
#= CPU#1
info threads
break step_here
#= Breakpoint 1, step_here
continue
#= = 0
print counter
#= counter = 2
next
#= = 1
print counter
stepi
stepi
print $pc
info registers pc
# A breakpoint behind a return address, code that is stepped over, values of registers.
#= leaf (x=1)
tbreak leaf
continue
#= #0  leaf
#= #1  0x
#= run (cpu=0)
backtrace
#= Value returned is $
#= = 3
finish
# Watchpoints: where it was written, and what.
#= atchpoint
watch counter
#= Old value = 3
#= New value = 6
continue
#= Old value = 6
#= New value = 12
continue
delete
# Memory is read and written.
set var pair.a = 77
#= a = 77, b = 2
print pair
#= VM status: paused
monitor info status
#= CPU#1
monitor info registers
# The other processor is a thread with a stack of its own.
thread 2
#= second ()
backtrace
set scheduler-locking on
set $before = elsewhere
stepi
stepi
stepi
stepi
stepi
stepi
stepi
stepi
stepi
stepi
#= goes on: 1
printf "goes on: %d\n", elsewhere > $before
set scheduler-locking off
thread 1
hbreak power_off
#= power_off
continue
#= = 23
print pair.b
#= = -1
print elsewhere
#= exited normally
continue
