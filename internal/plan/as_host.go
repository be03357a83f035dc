package plan

import (
	"strings"
)

// rcConf is rc.conf(5): what the host itself has to have. Each line adds to
// what is there.
func (f parts) rcConf() string {
	var b strings.Builder
	b.WriteString(f.header(
		"rc.conf(5): what the host holds for cell " + f.cell.Name + ", to be appended to /etc/rc.conf.",
	))
	modules := []string{"vmm", "nmdm"}
	var cloned []string
	var settings []string
	members := map[string][]string{}
	for _, t := range Specs[*Tap](f.plan) {
		if t.Admin {
			continue
		}
		cloned = append(cloned, t.Name)
		members[t.Bridge] = append(members[t.Bridge], "addm "+t.Name)
		settings = append(settings, assign("ifconfig_"+t.Name, "up"), assign("ifconfig_"+t.Name+"_descr", t.Tag))
	}
	for _, br := range Specs[*Bridge](f.plan) {
		own := members[br.Name]
		if br.Create {
			cloned = append([]string{br.Name}, cloned...)
			if br.Uplink != "" {
				own = append([]string{"addm " + br.Uplink}, own...)
			}
			settings = append(settings, assign("ifconfig_"+br.Name, strings.Join(append(own, "up"), " ")), assign("ifconfig_"+br.Name+"_descr", br.Tag))
		} else if len(own) > 0 {
			settings = append(settings, extend("ifconfig_"+br.Name, strings.Join(own, " ")))
		}
	}
	if len(cloned) > 0 {
		modules = append(modules, "if_bridge", "if_tuntap")
	}
	b.WriteString(extend("kld_list", strings.Join(modules, " ")))
	if len(cloned) > 0 {
		b.WriteString(extend("cloned_interfaces", strings.Join(cloned, " ")))
	}
	for _, s := range settings {
		b.WriteString(s)
	}
	b.WriteString(assign("jail_enable", "YES"))
	b.WriteString(assign("jail_parallel_start", "YES"))
	return b.String()
}

// assign and extend are lines of sh(1): rc.conf(5) is nothing else. Names of
// interfaces with a character that a variable cannot have are written as rc(8)
// looks for them (network.subr).
func assign(name, value string) string { return varName(name) + "=\"" + value + "\"\n" }

func extend(name, value string) string {
	n := varName(name)
	return n + "=\"${" + n + "} " + value + "\"\n"
}

func varName(s string) string {
	return strings.NewReplacer(".", "_", "-", "_", "/", "_", "+", "_").Replace(s)
}

// bhyveScript is what starts bhyve in the jail, for sh(1), as vmrun.sh does: a
// reset is bhyve's status 0, and everything else is an end. The VM is destroyed
// after each, since it would hold its name.
func (f parts) bhyveScript() string {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	b.WriteString(f.header(
		"bhyve(8) of cell "+f.cell.Name+", in its jail, until the guest is powered off.",
		"The jail must be there: skep plan --as jail.conf.",
	))
	for _, m := range Specs[*Modem](f.plan) {
		b.WriteString(f.header("The console, once bhyve runs: cu -l " + m.Outside))
	}
	for _, r := range Specs[*Relay](f.plan) {
		b.WriteString(f.header(r.Name + ": " + strings.Join(r.Take(), "; ")))
	}
	b.WriteString("while :; do\n")
	for _, line := range f.bhyve.Take() {
		b.WriteString("\t" + fold(line) + "\n")
	}
	b.WriteString("\tstatus=$?\n")
	for _, vm := range Specs[*VM](f.plan) {
		b.WriteString("\t" + strings.Join(vm.Release(), "; ") + "\n")
	}
	b.WriteString("\t[ $status -eq 0 ] || break # 0: the guest was reset\ndone\n[ $status -eq 1 ] # 1: it was powered off, or never ran\n")
	return b.String()
}

// fold puts each flag of bhyve's on a line of its own. Every word of the line
// was quoted, so a blank before a dash begins a flag or is inside of quotes,
// where a line is left whole.
func fold(line string) string {
	if strings.Contains(line, "'") {
		return line
	}
	enter, argv, ok := strings.Cut(line, " jexec ")
	if !ok {
		return line
	}
	return enter + " \\\n\t\tjexec " + strings.ReplaceAll(argv, " -", " \\\n\t\t-")
}
