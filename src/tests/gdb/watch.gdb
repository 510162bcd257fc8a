# run: calls
break calls
continue
#= Breakpoint 1, calls ()
watch watched
continue
#= Hardware watchpoint 2: watched
#= Old value = 0
#= New value = 1
continue
#= Old value = 1
#= New value = 2
delete 2
rwatch watched
continue
#= Hardware read watchpoint 3: watched
#= Value = 2
delete 3
awatch watched
continue
#= Hardware access (read/write) watchpoint 4: watched
#= Old value = 2
#= New value = 3
continue
#= Value = 3
delete
continue
#= exited normally
