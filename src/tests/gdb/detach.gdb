# run: calls
# stdout: same
break square
continue
#= Breakpoint 1, square (x=5)
detach
#= detached
