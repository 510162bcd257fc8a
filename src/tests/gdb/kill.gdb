# run: spin
# ends: by SIGKILL
break main
continue
#= Breakpoint 1, main
kill
#= killed
