# run: forks
set follow-fork-mode child
break square
continue
#= Attaching after
#= Detaching after fork from parent
#= Breakpoint 1, square (x=7)
bt
#= in forks (self=
delete
continue
#= exited with code 03
