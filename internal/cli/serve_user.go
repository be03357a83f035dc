//go:build unix

package cli

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"

	"skep/internal/fault"
	"skep/internal/serve"
)

// ownerOf is whose a file is.
func ownerOf(info os.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return os.Geteuid()
}

// asUser has a command run as that user, in a session of its own: what stops skep serve stops no cell.
func asUser(cmd *exec.Cmd, who serve.Person) error {
	uid := who.UID
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if uid == os.Geteuid() {
		return nil
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil || os.Geteuid() != 0 {
		return fault.New(fault.Host, "", "act as the user %d", uid)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	for _, g := range who.Groups {
		cmd.SysProcAttr.Credential.Groups = append(cmd.SysProcAttr.Credential.Groups, uint32(g))
	}
	cmd.Env = []string{"HOME=" + u.HomeDir, "USER=" + u.Username, "LOGNAME=" + u.Username, "PATH=" + os.Getenv("PATH")}
	return nil
}
