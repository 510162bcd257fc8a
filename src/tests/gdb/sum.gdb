# run: sum
# stdout: same
break square
break reached
continue
#= reached ()
continue
#= square (x=1)
continue
#= exited normally
