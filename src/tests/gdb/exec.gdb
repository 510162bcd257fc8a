# run: forks
catch vfork
continue
#= Catchpoint 1 (vforked process
set follow-fork-mode child
catch exec
continue
#= Catchpoint 2 (exec'd
break square
continue
#= square (x=5)
bt
#= in outer (x=5)
delete
continue
#= exited normally
