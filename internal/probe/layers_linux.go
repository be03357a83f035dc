package probe

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"skep/internal/host"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/layer"
	"skep/internal/process"
)

// rememberedLayers is what the jail found out by trying, which takes children
// and name spaces, and what could change the answer.
type rememberedLayers struct {
	Key    string                   `json:"key"`
	Layers map[layer.ID]layer.Probe `json:"layers"`
	Around host.Around              `json:"around"`
}

const layersMemory = "layers.json"

// probeLayers fills in which layers of the jail this host can have.
func probeLayers(c cache, f *host.Facts) {
	l := f.Linux
	who := host.ChooseIdentity(*f, 0)
	key := layersKey(f, who)
	var r rememberedLayers
	if c.load(layersMemory, &r) != nil || r.Key != key {
		found, err := linuxjail.ProbeLayers(jailIdentity(who))
		if err != nil {
			l.LayersWhy = err.Error()
		}
		r = rememberedLayers{key, found, lookAround()}
		// A user namespace that cannot be had just now, because too many are in
		// use, may be had a moment later; such an answer is not kept.
		if err == nil && found[layer.UserNamespace].State == layer.Have {
			_ = c.save(layersMemory, r)
		}
	}
	l.Around = r.Around
	l.Around.Limits = hardLimits()
	// That of another namespace is another thing at each start.
	l.Around.NoProc, l.Around.NoNull = noProc(), noNull()
	l.Layers = host.WithFacts(r.Layers, *f)
}

// layersKey names all that the answer hangs on: the kernel and how it was
// booted, the settings that forbid user namespaces, the confinement that this
// process is in, and the program that asked.
func layersKey(f *host.Facts, who host.Identity) string {
	l := f.Linux
	user, _ := os.Readlink("/proc/self/ns/user")
	mnt, _ := os.Readlink("/proc/self/ns/mnt")
	var root unix.Stat_t
	_ = unix.Stat("/", &root)
	return fmt.Sprint(f.Kernel, root.Dev, root.Ino, process.BootID(), f.EUID, who.Mapping, user, mnt, l.UserNSOff, l.UserNSRestricted,
		sysctl("/proc/self/attr/current"), build())
}

// jailIdentity says the same in the jail's words.
func jailIdentity(who host.Identity) linuxjail.Identity {
	m := map[string]jail.Mapping{host.MappingRoot: jail.ByRoot, host.MappingSubUID: jail.BySubIDs, host.MappingOwn: jail.ByOwn}
	return linuxjail.Identity{UID: who.UID, GID: who.GID, Mapping: m[who.Mapping]}
}
