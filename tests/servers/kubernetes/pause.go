// What holds a pod's namespaces: sleeps, and takes the exit of orphans.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	c := make(chan os.Signal, 8)
	signal.Notify(c, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for s := range c {
		if s == syscall.SIGCHLD {
			for {
				var w syscall.WaitStatus
				if p, _ := syscall.Wait4(-1, &w, syscall.WNOHANG, nil); p <= 0 {
					break
				}
			}
			continue
		}
		os.Exit(0)
	}
}
