package cli

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// pciOf finds bus/slot/function of a device such as ppt0.
func pciOf(device string) (string, error) {
	driver := strings.TrimRight(device, "0123456789")
	unit := device[len(driver):]
	if driver == "" || unit == "" || strings.ContainsAny(driver, ".%/") {
		return "", fmt.Errorf("it is neither bus/slot/function nor the name of a device")
	}
	s, err := unix.Sysctl("dev." + driver + "." + unit + ".%location")
	if err != nil {
		return "", fmt.Errorf("there is no such device on this host")
	}
	return parseLocation(s)
}
