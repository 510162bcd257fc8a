# run: calls
break square
continue
#= Breakpoint 1, square (x=5)
bt
#= #0  square (x=5)
#= in outer (x=5)
#= in calls ()
#= in main (argc=2
finish
#= Value returned is $1 = 25
tbreak scale
continue
#= Temporary breakpoint 2, scale (by=8)
finish
#= Value returned is $2 = 4
print here
#= $3 = {x = 3, y = 4}
print here.x = 30
print here
#= $5 = {x = 30, y = 4}
delete
print square(9)
#= $6 = 81
print counter
#= $7 = 106
print $pc == 0
#= $8 = 0
stepi
info auxv
#= AT_ENTRY
#= AT_EXECFN
info inferiors
#= (remote
continue
#= exited normally
