package drill

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// RuncBundle has runc write its default configuration into dir, which has a rootfs, and changes what
// is to be run in it; the host's /usr is shown there.
func RuncBundle(dir string, args ...string) error {
	if out, err := exec.Command("runc", "spec", "--bundle", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("runc spec: %w: %.200s", err, out)
	}
	file := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		return err
	}
	process, ok := config["process"].(map[string]any)
	mounts, also := config["mounts"].([]any)
	if !ok || !also {
		return errors.New("runc spec writes what we do not know")
	}
	process["terminal"], process["args"] = false, args
	config["mounts"] = append(mounts, map[string]any{"destination": "/usr", "type": "bind", "source": "/usr", "options": []string{"bind", "ro", "nosuid", "nodev"}})
	if text, err = json.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// EmptyRootfs makes a root in dir with places for the host's /usr and the kernel's file systems.
func EmptyRootfs(dir string) error {
	var err error
	for _, name := range []string{"usr", "proc", "sys", "dev", "tmp", "run", "etc", "var"} {
		err = errors.Join(err, os.MkdirAll(filepath.Join(dir, name), 0o755))
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		err = errors.Join(err, os.Symlink("usr/"+name, filepath.Join(dir, name)))
	}
	return err
}
