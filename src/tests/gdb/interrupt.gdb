# run: spin
shell (sleep 1; kill -INT $PPID) &
continue
#= Program received signal SIGINT
bt
#= spin ()
print spins != 0
#= $1 = 1
set var go_on = 1
continue
#= exited normally
