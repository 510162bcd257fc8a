# run: signals
# stdout: same
handle all nostop noprint pass
continue
#= exited normally
