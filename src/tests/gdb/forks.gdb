# run: forks
catch fork
catch vfork
continue
#= Catchpoint 1 (forked process
continue
#= Detaching after fork
#= Catchpoint 2 (vforked process
continue
#= Detaching after vfork
#= exited normally
